"""The first edges that an upgrade loses and gains, with what their ends hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity.markup import Html, name, text
from parity.matched import pair_svg
from parity.report.gather import payloads_of
from parity.report.payloads import Payload
from parity.report.pictures import Pictures
from parity.show import counted, number
from parity.upgrade import words
from parity.upgrade.result import OneSided, Pair, Upgrade
from shared.run import Run

SHOWN = 9  # pairs of one truth

_LEADS = {
    "lost": "Edges that A has and B has not; first those that the new rule takes, so that B misses them.",
    "gained": "Edges that B has and A has not; first those that the old rule takes, so that A missed them.",
}
_NO_POINTS = np.empty((0, 4), np.float64)

Payloads = Mapping[str, Payload]  # by id


@dataclass(frozen=True)
class PairPayloads:
    """What the ends hold: of the edges that A alone has, and of those that B alone has."""

    lost: Payloads
    gained: Payloads


def pair_payloads(a: Run, b: Run, result: Upgrade, lake: Path | None) -> PairPayloads:
    """Of the pairs that `pairs_section` shows. lake: None where there is none."""
    ids = [
        {end for pairs in _by_truth(side).values() for pair in pairs for end in (pair.id, pair.earlier)}
        for side in (result.edges.lost, result.edges.gained)
    ]
    in_a, in_b = payloads_of(a, b, ids[0] | ids[1], lake)
    return PairPayloads(in_a, in_b)


def pairs_section(key: str, side: OneSided, payloads: Payloads, why: str, pictures: Pictures) -> Html:
    """A section; empty where there are no pairs. key: lost or gained. why: there are no payloads.

    pictures: those shown are added to it.
    """
    counts = {(truth.old, truth.new): truth.pairs for truth in side.truths}
    groups = [
        _group(words.MEANS[truth], counts[truth], pairs, payloads, key == "lost", pictures)
        for truth, pairs in _by_truth(side).items()
    ]
    if not groups:
        return Html("")
    note = f'<p class="note">Without pictures and texts: {text(why)}.</p>' if why else ""
    return Html(
        f'<section id="{key}"><h2>Edges {key}</h2>\n<p class="lead">{_LEADS[key]}</p>\n{note}'
        f"{''.join(groups)}</section>"
    )


def _by_truth(side: OneSided) -> dict[tuple[str, str], list[Pair]]:
    """The first SHOWN of each truth, in the order of the list."""
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in side.listed:
        own = found.setdefault((pair.old, pair.new), [])
        if len(own) < SHOWN:
            own.append(pair)
    return found


def _group(
    means: str, count: int, pairs: Sequence[Pair], payloads: Payloads, lost: bool, pictures: Pictures
) -> str:
    figures = "\n".join(_figure(pair, payloads, lost, pictures) for pair in pairs)
    rest = count - len(pairs)
    more = f'<p class="note">{number(rest)} more are not shown.</p>' if rest > 0 else ""
    title = f"{means[0].upper()}{means[1:]}"
    return (
        f'<article class="group"><header><h3>{title}</h3><span>{counted(count, "edge")}</span></header>\n'
        f'<div class="pairs">\n{figures}\n</div>{more}</article>'
    )


def _figure(pair: Pair, payloads: Payloads, lost: bool, pictures: Pictures) -> str:
    """Two pictures side by side, or two texts one above the other."""
    ends = (pair.earlier, pair.id)
    one, two = (payloads.get(end, Payload()) for end in ends)
    if one.picture and two.picture:
        label = f"{text(pair.earlier, 80)} and {text(pair.id, 80)}"
        held = pair_svg(pictures.drawn(one.picture), pictures.drawn(two.picture), _NO_POINTS, label)
    else:
        held = "".join(_words(payload) for payload in (one, two))
    named = " and ".join(f'<i title="{text(end)}">{name(end, 44)}</i>' for end in ends)
    numbers = words.measures(pair)
    says = f"{numbers}{': ' if numbers else ''}{words.fate(pair, lost)}"
    caption = f"<figcaption><b>{named}</b><span>{text(says)}</span></figcaption>"
    return f'<figure class="pair">{held}{caption}</figure>'


def _words(payload: Payload) -> str:
    if payload.excerpt:
        return f"<q>{text(payload.excerpt)}</q>"
    return f"<small>{text(payload.lacks)}</small>" if payload.lacks else ""
