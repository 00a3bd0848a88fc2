"""What is shown of one side, a line a value, so that two sides can stand beside each other. Stages 1 to 3."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from parity.explain import words
from parity.explain.result import ChannelView, Explanation, ItemView, PairView, SideView
from parity.show import number, printable
from shared.stored import Event

BOTH = ""  # the group of lines that are about a pair
PAYLOAD = 150  # characters

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Line:
    """group: an id, or BOTH. key: lines of two sides with one group and key stand beside each other."""

    group: str
    key: str
    label: str
    text: str


def chosen(sides: Sequence[Mapping[K, object]], most: int) -> list[K]:
    """At most so many keys of all sides, those whose values differ before those that are the same."""
    keys = dict.fromkeys(key for side in sides for key in side)
    same = {key: len({side.get(key) for side in sides}) == 1 for key in keys}
    return sorted(keys, key=same.__getitem__)[:most]


def event_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    for item in side.items:
        for label, text in _event(item):
            yield Line(item.id, label, label, text)


def _event(item: ItemView) -> Iterator[tuple[str, str]]:
    event = item.event
    if event is None:
        yield "event", "none: this side has no such item"
        return
    yield "event", f"{printable(event.op, 20)}, status {printable(event.status, 24)}"
    yield "event time", moment(event.event_time)
    yield from _times(event)
    yield "content digest", event.digest.hex()[:16]
    appended = f", appended {moment(event.append_time)}" if event.append_time >= 0 else ""
    yield "record", f"partition {event.partition}, offset {event.offset}{appended}"
    if item.payload:
        yield "payload", printable(item.payload, PAYLOAD)


def _times(event: Event) -> Iterator[tuple[str, str]]:
    if not event.version_time == event.effective_time == event.event_time:
        yield "version time", moment(event.version_time)
        yield "effective time", moment(event.effective_time)


def moment(time: int) -> str:
    """Milliseconds since 1970, and as a date and time (UTC) where a calendar has them."""
    try:
        date = _EPOCH + timedelta(milliseconds=time)
    except OverflowError:
        return str(time)
    return f"{time} ({date:%Y-%m-%d %H:%M:%S}.{time % 1000:03d} UTC)"


def feature_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    for item in side.items:
        for own in item.channels:
            text = f"{own.content} (sha256 {own.record[:8]})" if own.record else "none"
            yield Line(item.id, own.channel, label(own.channel), text)
        if item.sketched:
            said = {
                "yes": "made again it gives the same",
                "no": "made again it gives OTHER features or another status",
            }
            text = said.get(item.sketched, f"not made again: {item.sketched}")
            yield Line(item.id, "the payload", "the payload", printable(text, PAYLOAD))
    if side.pair is None:
        return
    for channel, measured in zip(explanation.spec.channels, side.pair.channels, strict=True):
        if measured.common is not None and measured.present:
            text = f"{number(measured.common)} tokens in common, of {number(measured.denominator)}"
            if channel.match.rule == "hamming":
                text = f"{measured.common} of {measured.denominator} bits are equal"
            yield Line(BOTH, measured.channel, label(measured.channel), text)
    yield from _shingles(side.pair)


def _shingles(pair: PairView) -> Iterator[Line]:
    found = pair.shingles
    if found is None:
        return
    for key, name, windows in (
        ("both", "in both", found.common),
        ("earlier", f"in {words.name(pair.earlier)} alone", found.earlier_only),
        ("later", f"in {words.name(pair.later)} alone", found.later_only),
    ):
        if windows:
            shown = ", ".join(f"“{printable(window, 40)}”" for window in windows)
            yield Line(BOTH, f"shingles {key}", "shingles" if key == "both" else "", f"{name}: {shown}")


def signature_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    for item in side.items:
        for channel in item.channels:
            yield Line(item.id, channel.channel, label(channel.channel), _signature(item, channel))
    for measured in side.pair.channels if side.pair else ():
        if measured.present:
            text = (
                f"{measured.agreeing} of {measured.permutations} permutations agree, "
                f"{measured.agreeing_bands} of {measured.bands} bands"
            )
            yield Line(BOTH, measured.channel, label(measured.channel), text)


def _signature(item: ItemView, channel: ChannelView) -> str:
    if not channel.signature:
        return "none"
    follows = "not made again: the record does not hold the tokens"
    if channel.first_wrong is not None:
        follows = f"NOT what the features give: value {channel.first_wrong}"
    elif channel.follows or item.sketched == "yes":
        follows = "what the features give"
    return f"{follows} (sha256 {channel.signature[:8]})"


def label(name: str) -> str:
    return printable(name, 16)
