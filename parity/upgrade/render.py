"""What an upgrade gains and loses, for the terminal, in 100 columns."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from parity.render import show_clusters, show_difference, show_gates, show_reasons, side_line
from parity.show import counted, facts, printable, table
from parity.upgrade import tables, words
from parity.upgrade.render_pairs import show_pairs
from parity.upgrade.result import ContractChange, Upgrade
from shared.fence import Fence

FIELDS = 40  # of the contract
EVENTS = 5


def show(result: Upgrade, out: Console) -> None:
    """Print what was compared, the contracts, the pairs and who misses them, clusters, costs, the verdict."""
    out.print(facts(_compared(result)))
    out.print()
    rows = [(printable(c.field), *_values(c)) for c in result.contract[:FIELDS]]
    out.print(table("What the new spec changes", ["field of the contract", "A (old)", "B (new)"], rows))
    if (rest := len(result.contract) - FIELDS) > 0:
        out.print(Text(f"… and {counted(rest, 'field')} more (--json has them)", "dim"))
    out.print()
    _show_events(result, out)
    out.print(
        table(
            "Channels",
            ["name", "extractor", "rule of A", "rule of B", "judged by"],
            tables.channels(result, "-"),
        )
    )
    out.print()
    show_pairs(result, out)
    if result.clusters:
        show_clusters(result.clusters, out)
    out.print(table("Costs", ["what", "A", "B", "B / A"], tables.costs(result, "-")))
    if note := words.cost_note(result):
        out.print(Text(note, "dim"))
    out.print()
    show_gates(result.gates, out)
    out.print(_verdict(result))


def _compared(result: Upgrade) -> Iterator[tuple[str, str]]:
    yield "A (old)", side_line(result.a)
    yield "B (new)", side_line(result.b)
    yield "contract of A", result.contract_a
    yield "contract of B", result.contract_b
    if "fence" in result.aligned_by:
        yield "fence", Fence.from_json(result.aligned_by["fence"]).describe()
    else:
        yield "event set", result.aligned_by["event_set"]
    checked = "every byte and row" if result.verified else "files, sizes, row counts; digests of what differs"
    yield "checked", checked


def _show_events(result: Upgrade, out: Console) -> None:
    events = result.events
    if events.total:
        rows = [(events.missing, events.extra, events.wrong, len(events.dead_letters))]
        columns = ["missing (A only)", "extra (B only)", "wrong", "dead letter reasons"]
        out.print(table("Events that are not equal: their ids are not judged", columns, rows))
        for difference in events.first[:EVENTS]:
            show_difference(difference, out)
        if any(change.field.startswith("times.") for change in result.contract):
            out.print(Text("The new spec has other time limits, which may be why.", "dim"))
        out.print()
    if events.dead_letters:
        show_reasons("Dead letters by reason", ("A", "B"), events.dead_letters, out)
    if events.statuses:
        statuses = [(change.a, change.b, change.items) for change in events.statuses]
        out.print(table("Items whose status changes", ["A", "B", "items"], statuses))
        out.print()
    if result.unequal_features:
        found = counted(result.unequal_features, "id")
        out.print(
            Text(f"{found} of the pairs gained and lost: the runs took other features from one event", "bold")
        )
        out.print(
            Text("No spec does that; nothing is told of such pairs. Compare engines and versions.", "dim"), ""
        )


def _values(change: ContractChange) -> Iterator[str]:
    return (printable(tables.contract_value(value, "-"), 40) for value in (change.a, change.b))


def _verdict(result: Upgrade) -> Text:
    said = words.verdict(result)
    if result.verdict == "nothing lost":
        return Text(f"NOTHING LOST: {said}.", "bold green")
    if result.passed:
        return Text(f"WITHIN GATES: {said}.", "bold yellow")
    return Text(f"OVER THE GATES ({words.over(result)}): {said}.", "bold red")
