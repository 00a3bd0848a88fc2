"""The tables and plots of the page of an upgrade."""

from collections.abc import Iterator

from parity.markup import Html, facts, table, text
from parity.report.compared import code
from parity.report.histogram import Histogram
from parity.report.plots import legend, plot
from parity.show import number
from parity.upgrade import tables, words
from parity.upgrade.kinds import JUDGED_BY
from parity.upgrade.result import BINS, ContractChange, Judge, Pairs, Upgrade
from shared.fence import Fence

FIELDS = 100  # of the contract
EVENTS = 10
_WIDTH = 80  # characters of a value


def compared(result: Upgrade) -> Html:
    if "fence" in result.aligned_by:
        fence = Fence.from_json(result.aligned_by["fence"]).describe()
        at = {"Fence": Html(f"{text(fence)} in both: they saw the same records")}
    else:
        at = {"Event set": Html(f"{code(result.aligned_by['event_set'])} in both")}
    read = (
        "every byte and every row of both runs was read"
        if result.verified
        else ("every file, its size and rows; digests, and the rows where these differ")
    )
    rows = [
        ("engine", text(result.a.engine), text(result.b.engine)),
        ("folder", code(result.a.path), code(result.b.path)),
        ("contract", code(result.contract_a), code(result.contract_b)),
    ]
    channels = [(text(name, 40), *rest) for name, *rest in tables.channels(result, "–")]
    columns = ["channel", "features of", "rule of A", "rule of B", "pairs are judged by"]
    return _section(
        "compared",
        "What was compared",
        facts(at | {"Checked": Html(read)}),
        table(["", "A (old)", "B (new)"], rows, "sides"),
        table(columns, channels),
    )


def contract(result: Upgrade) -> Html:
    rows = [
        (Html(f"<code>{text(change.field)}</code>"), *_values(change)) for change in result.contract[:FIELDS]
    ]
    rest = len(result.contract) - FIELDS
    more = f'<p class="note">… and {number(rest)} more, which --json has.</p>' if rest > 0 else ""
    return _section(
        "contract", "What the new spec changes", table(["field", "A (old)", "B (new)"], rows), more
    )


def events(result: Upgrade) -> Html:
    """Empty where all are equal, have the same status and the same features."""
    found, parts = result.events, []
    if found.total:
        kinds = [(kind, getattr(found, kind)) for kind in ("missing", "extra", "wrong")]
        counts = [*kinds, ("dead letter reasons", len(found.dead_letters))]
        parts += [
            Html('<p class="lead">Ids whose events are not equal in both runs are not judged.</p>'),
            table(["events that are not equal", "ids"], counts),
            table(["the first of them", ""], ((text(d.id, 80), d.kind) for d in found.first[:EVENTS])),
        ]
    if found.statuses:
        parts.append(
            table(["status in A", "in B", "items"], ((text(c.a), text(c.b), c.items) for c in found.statuses))
        )
    if result.unequal_features:
        says = (
            "ids of the pairs gained and lost have other features in B from the same event, as no spec does"
        )
        parts.append(Html(f'<p class="differs">{number(result.unequal_features)} {says}.</p>'))
    return _section("events", "Events and statuses", *parts) if parts else Html("")


def pairs(result: Upgrade) -> Html:
    """How many are kept, gained and lost; what the features say of them; why a run has not got them."""
    columns = ["pairs", "in A", "in B", "kept", "by another channel", "other numbers", "gained", "lost"]
    return _section(
        "pairs",
        "Pairs: edges, and members with their heads",
        table(columns, tables.pair_counts(result)),
        *_pairs(result),
    )


def _pairs(result: Upgrade) -> Iterator[str]:
    for found in (result.edges, result.memberships):
        yield from _truths(found)
    if rows := tables.whys(result.edges):
        columns = ["why a run has not got an edge that its own rule takes", "A (gained)", "B (lost)"]
        yield table(columns, rows)
    plots = [
        plot(_histogram(judge), "lost", "gained") for judge in result.judges if sum(judge.gained + judge.lost)
    ]
    if plots:
        yield legend("lost", "gained", "gained less lost")
        yield f'<div class="plots">\n{"".join(plots)}\n</div>'


def _truths(found: Pairs) -> Iterator[str]:
    if rows := tables.truths(found):
        yield table([f"{found.what}, by the features", "gained", "joined", "lost", "parted"], rows)
        notes = " ".join(words.not_judged(found))
        says = "Joined, parted: their ends are in one cluster of one run only."
        yield f'<p class="note">{says} {text(notes)}</p>'


def _histogram(judge: Judge) -> Histogram:
    ratio = judge.by != JUDGED_BY["points"]
    labels = tuple(f"{n / BINS:.1f}" for n in range(BINS + 1)) if ratio else judge.bins
    return Histogram(
        f"Edges lost and gained: {judge.name}", judge.by, "edges", labels, judge.lost, judge.gained
    )


def costs(result: Upgrade) -> Html:
    rows = tables.costs(result, "–")
    note = f'<p class="note">{words.cost_note(result)}</p>'
    return _section("costs", "Costs", table(["", "A", "B", "B / A"], rows, "numbers"), note)


def _values(change: ContractChange) -> Iterator[Html]:
    return (text(tables.contract_value(value, "–"), _WIDTH) for value in (change.a, change.b))


def _section(key: str, title: str, *parts: str) -> Html:
    return Html(f'<section id="{key}"><h2>{title}</h2>\n{"".join(parts)}</section>')
