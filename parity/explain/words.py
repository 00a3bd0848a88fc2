"""How an explanation says things: numbers, matches, places, in words that stand for themselves."""

from parity.explain.matching import Measured
from parity.show import counted, printable
from shared.spec import Channel, Spec
from shared.stored import Entry, Place, Strength

NAME = 48  # characters of an id in a sentence


def name(item: str) -> str:
    return printable(item, NAME)


def names(items: list[str] | tuple[str, ...], shown: int = 3) -> str:
    """Such as "a, b, c and 4 more"."""
    more = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(name(item) for item in items[:shown]) + more


def strength(spec: Spec, found: Strength) -> str:
    """Such as "words 41/60 = 0.683"."""
    for channel in spec.channels:
        if channel.name == found.channel:
            return f"{printable(channel.name)} {numbers(channel, found.numerator, found.denominator)}"
    return f"{printable(found.channel, 24)} {found.numerator}/{found.denominator}"


def numbers(channel: Channel, numerator: int, denominator: int) -> str:
    if channel.match.rule == "hamming":
        return f"{denominator - numerator} of {denominator} bits differ"
    if channel.match.rule == "inliers":
        return counted(numerator, "inlier")
    return f"{numerator}/{denominator}{_decimal(numerator, denominator)}"


def _decimal(numerator: int, denominator: int) -> str:
    """Rounded down: what is below a threshold must not look as if it reached it."""
    if denominator <= 0 or not 0 <= numerator <= denominator:
        return ""
    whole, rest = divmod(numerator * 1000 // denominator, 1000)
    return f" = {whole}.{rest:03d}"


def asked(channel: Channel) -> str:
    """What a channel asks of a match."""
    match = channel.match
    if match.max_distance is not None:
        limit = f"at most {match.max_distance} bits"
    elif match.min_inliers is not None:
        limit = f"at least {match.min_inliers} inliers"
    else:
        limit = f"{match.rule} at least {match.threshold}"
    bands = match.min_agreeing_bands
    return f"{limit}, in {bands} agreeing bands" if bands else limit


def judged(channel: Channel, measured: Measured) -> str:
    """A channel's decision about a pair: its numbers, what it asks, and yes or no."""
    if not measured.present:
        return "passed over: no features in both"
    if measured.agreeing_bands < channel.match.min_agreeing_bands:
        return (
            f"passed over: {measured.agreeing_bands} of {measured.bands} bands agree, "
            f"{channel.match.min_agreeing_bands} are asked for"
        )
    said = numbers(channel, measured.numerator, measured.denominator)
    return f"{'yes' if measured.accepted else 'no'}: {said}, asked {limit(channel)}"


def limit(channel: Channel) -> str:
    """What the rule asks, without its bands."""
    match = channel.match
    if match.max_distance is not None:
        return f"<= {match.max_distance}"
    if match.min_inliers is not None:
        return f">= {match.min_inliers}"
    return f">= {match.threshold}"


def place(spec: Spec, item: str, found: Place | None) -> str:
    """An item's place in the clusters, as in "it is …"."""
    if found is None:
        return "in no cluster"
    if found.head == item:
        return "a head"
    match = f" ({strength(spec, found.strength)})" if found.strength else ""
    return f"with head {name(found.head)}{match}"


def edge(spec: Spec, found: Strength | None) -> str:
    return strength(spec, found) if found else "no edge"


def bucket(spec: Spec, entry: Entry) -> str:
    """Such as "words 12"."""
    return f"{printable(spec.channels[entry[0]].name, 24)} {entry[1]}"
