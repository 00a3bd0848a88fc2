"""The rows of an upgrade's tables, for the terminal and the page. Cells are numbers or plain text."""

from collections.abc import Iterator

from parity.show import number
from parity.upgrade.result import WHYS, Pairs, Upgrade
from parity.upgrade.words import MEANS

Rows = list[tuple[object, ...]]


def pair_counts(result: Upgrade) -> Rows:
    """what, in A, in B, kept, by another channel, with other numbers, gained, lost."""
    return [
        (p.what, p.in_a, p.in_b, p.kept, p.other_channel, p.other_numbers, p.gained.pairs, p.lost.pairs)
        for p in (result.edges, result.memberships)
    ]


def truths(pairs: Pairs) -> Rows:
    """What the features say, gained, joined, lost, parted."""
    counts = [
        {(t.old, t.new): (t.pairs, t.parted) for t in side.truths} for side in (pairs.gained, pairs.lost)
    ]
    return [
        (means, *(cell for count in counts for cell in count.get(truth, (0, 0))))
        for truth, means in MEANS.items()
        if any(truth in count for count in counts)
    ]


def whys(edges: Pairs) -> Rows:
    """why, how many A has not got, how many B."""
    gained, lost = dict(edges.gained.whys), dict(edges.lost.whys)
    return [(why, gained.get(why, 0), lost.get(why, 0)) for why in WHYS if why in gained or why in lost]


def channels(result: Upgrade, dash: str) -> Rows:
    """name, extractor, rules of A, of B, what judges. dash: where there is no rule."""
    return [
        (
            judge.name,
            judge.extractor,
            "; ".join(judge.rules_a) or dash,
            "; ".join(judge.rules_b) or dash,
            judge.by or "nothing exact",
        )
        for judge in result.judges
    ]


def costs(result: Upgrade, dash: str) -> Iterator[tuple[str, str, str, str]]:
    """what, A, B, B / A, as text. dash: where a manifest does not say."""
    for cost in result.costs:
        ratio = f"{cost.b / cost.a:.2f}" if cost.a and cost.b is not None else dash
        yield cost.what, _cost(cost.a, dash), _cost(cost.b, dash), ratio


def _cost(value: int | float | None, dash: str) -> str:
    return dash if value is None else f"{value:,.1f}" if isinstance(value, float) else number(value)


def contract_value(value: object, dash: str) -> object:
    """As TOML has it."""
    return str(value).lower() if isinstance(value, bool) else dash if value is None else value
