"""A diff's result for the terminal, in 100 columns."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from parity.result import Difference, FieldDifference, Result, Side
from parity.show import counted, facts, number, printable, table
from shared.fence import Fence

SHOWN = 20


def show(result: Result, out: Console) -> None:
    """Print what was compared, the stages, where differences begin, the first of them, the verdict."""
    out.print(facts(_compared(result)))
    out.print()
    rows = [(s.stage, s.rows_a, s.rows_b, s.shards_differ, s.rows_differ) for s in result.stages]
    out.print(table("Stages", ["stage", "rows A", "rows B", "shards that differ", "rows that differ"], rows))
    out.print()
    if not result.parity:
        _show_differences(result, out)
    out.print(_verdict(result))


def _compared(result: Result) -> Iterator[tuple[str, str]]:
    fence = result.aligned_by.get("fence")
    yield "A", _side(result.a)
    yield "B", _side(result.b)
    yield "contract", result.contract_id
    if fence:
        yield "fence", Fence.from_json(fence).describe()
    else:
        yield "event set", result.aligned_by["event_set"]
    yield "checked", "every byte and row" if result.verified else "files, sizes, row counts, digests"


def _side(side: Side) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in side.versions)
    return f"{side.path}  ({side.engine}{': ' if versions else ''}{versions})"


def _show_differences(result: Result, out: Console) -> None:
    rows = [(c.cause, c.missing, c.extra, c.wrong, c.explains) for c in result.causes if c.total]
    columns = ["begins at", "missing (A only)", "extra (B only)", "wrong", "later rows it explains"]
    out.print(table("Differences by the first stage that diverged", columns, rows))
    out.print()
    if result.dead_letters:
        dead = [(reason.name, int(reason.a or 0), int(reason.b or 0)) for reason in result.dead_letters]
        out.print(table("Dead letters by reason", ["reason", "A", "B"], dead))
        out.print()
    if result.differences:
        shown = result.differences[:SHOWN]
        out.print(
            Text(
                f"First {len(shown)} of {number(_ids(result))} ids and edges that differ (field: A | B)",
                "bold",
            )
        )
        for difference in shown:
            _show_difference(difference, out)
        out.print()


def _ids(result: Result) -> int:
    return result.total - len(result.dead_letters)


def _show_difference(difference: Difference, out: Console) -> None:
    name = printable(difference.id, 44)
    if difference.earlier is not None:
        name = f"{printable(difference.id, 32)} with {printable(difference.earlier, 32)}"
    explains = f"  explains {number(difference.explains)}" if difference.explains else ""
    out.print(
        Text.assemble(f"{difference.cause:<9} {difference.kind:<8} ", (name, "bold"), (explains, "dim"))
    )
    for field in difference.fields:
        out.print(_field(field))


def _field(field: FieldDifference) -> Text:
    a, b = ("-" if value is None else printable(value, 30) or '""' for value in (field.a, field.b))
    note = f"  ({field.note})" if field.note else ""
    return Text(f"    {printable(field.name, 24)}: {a} | {b}{note}", "dim")


def _verdict(result: Result) -> Text:
    if result.parity:
        rows = sum(stage.rows_a for stage in result.stages)
        return Text(f"PARITY: all {number(rows)} rows are equal.", "bold green")
    rows = sum(stage.rows_differ for stage in result.stages)
    found = counted(result.total, "difference")
    return Text(f"DIFFERENCES: {found}; {counted(rows, 'row')} in all that are not equal.", "bold red")
