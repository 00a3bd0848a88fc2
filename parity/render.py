"""A diff's result for the terminal, in 100 columns."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from parity.coverage import Coverage
from parity.fields import FieldDifference
from parity.regrouping import ClusterComparison, Regrouping
from parity.result import Difference, Gate, Result, Side
from parity.show import counted, explain_command, facts, number, printable, table
from shared.fence import Fence

SHOWN = 20
REGROUPINGS = 8
UNCOVERED = 5


def show(result: Result, out: Console) -> None:
    """Print what was compared, the stages, where differences begin, the first of them, the verdict."""
    out.print(facts(_compared(result)))
    out.print()
    rows = [(s.stage, s.rows_a, s.rows_b, s.shards_differ, s.rows_differ) for s in result.stages]
    out.print(table("Stages", ["stage", "rows A", "rows B", "shards that differ", "rows that differ"], rows))
    out.print()
    if result.total:
        _show_differences(result, out)
    if result.clusters:
        show_clusters(result.clusters, out)
    for coverage in result.coverage:
        if not coverage.whole:
            _show_uncovered(coverage, out)
    if result.known:
        known = [(u.name, u.owner, u.found, u.cap, u.expires, u.state) for u in result.known]
        out.print(table("Known differences", ["rule", "owner", "found", "cap", "expires", "state"], known))
        out.print()
    if not result.parity:
        show_gates(result.gates, out)
    out.print(_verdict(result))


def _compared(result: Result) -> Iterator[tuple[str, str]]:
    fence = result.aligned_by.get("fence")
    yield "A", side_line(result.a)
    yield "B", side_line(result.b)
    yield "contract", result.contract_id
    if fence:
        yield "fence", Fence.from_json(fence).describe()
    elif "fences" in result.aligned_by:
        yield "fence of A", result.a.stands_at
        yield "fence of B", result.b.stands_at
    else:
        yield "event set", result.aligned_by["event_set"]
    yield "checked", _checked(result)
    if result.coverage or result.why_no_lake:
        yield "lake", _lake(result)


def _checked(result: Result) -> str:
    if not result.verified:
        return "files, sizes, row counts, digests"
    if not result.differing:
        return "every byte and row"
    most = "" if result.held == result.differing else f"the first {number(result.held)} of "
    ids = counted(result.differing, "id")
    return f"every byte and row; {most}{ids} that differ, each against its own run"


def _lake(result: Result) -> str:
    if not result.coverage:
        return f"not looked at: {result.why_no_lake}"
    first = result.coverage[0]
    whole = all(coverage.whole for coverage in result.coverage)
    says = "both runs are what it says" if whole else "NOT what it says: see below"
    return f"{first.lake}: {counted(first.records, 'record')}, {counted(first.ids, 'id')}; {says}"


def side_line(side: Side) -> str:
    """A run in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in side.versions)
    return f"{side.path}  ({side.engine}{': ' if versions else ''}{versions})"


def _show_differences(result: Result, out: Console) -> None:
    rare = [name for name in ("late", "known") if any(getattr(c, name) for c in result.causes)]
    columns = ["begins at", "missing (A only)", "extra (B only)", "wrong", *rare, "later rows it explains"]
    rows = [
        (c.cause, c.missing, c.extra, c.wrong, *(getattr(c, name) for name in rare), c.explains)
        for c in result.causes
        if c.total
    ]
    out.print(table("Differences by the first stage that diverged", columns, rows))
    out.print()
    if result.dead_letters:
        show_reasons("Dead letters by reason", ("A", "B"), result.dead_letters, out)
    if result.differences:
        shown = result.differences[:SHOWN]
        of = number(result.total - len(result.dead_letters))
        out.print(Text(f"First {len(shown)} of {of} ids and edges that differ (field: A | B)", "bold"))
        for difference in shown:
            show_difference(difference, out)
        command = explain_command(shown[0].ids, (result.a.path, result.b.path))
        out.print(Text("Why, stage by stage:", "dim"))
        out.print(Text(f"  {command}", "dim"), soft_wrap=True)  # to be copied as it is
        out.print()


def show_reasons(
    title: str, sides: tuple[str, str], reasons: Iterable[FieldDifference], out: Console
) -> None:
    """Dead letters of both sides."""
    out.print(table(title, ["reason", *sides], [(r.name, int(r.a or 0), int(r.b or 0)) for r in reasons]))
    out.print()


def show_difference(difference: Difference, out: Console) -> None:
    """One id or edge, and its fields on both sides."""
    name = printable(difference.id, 44)
    if difference.earlier is not None:
        name = f"{printable(difference.id, 30)} with {printable(difference.earlier, 30)}"
    explains = f"  explains {number(difference.explains)}" if difference.explains else ""
    rule = f"  {printable(difference.rule, 30)}" if difference.rule else ""
    head = f"{difference.cause:<9} {difference.kind:<8} "
    out.print(Text.assemble(head, (name, "bold"), (explains + rule, "dim")))
    for field in difference.fields:
        out.print(_field(field))


def _field(field: FieldDifference) -> Text:
    a, b = ("-" if value is None else printable(value, 30) or '""' for value in (field.a, field.b))
    note = f"  ({field.note})" if field.note else ""
    return Text(f"    {printable(field.name, 24)}: {a} | {b}{note}", "dim")


def show_clusters(found: ClusterComparison, out: Console) -> None:
    """What became of the clusters, as numbers and the first of them."""
    rates = ("precision", "recall", "f1", "adjusted_rand")
    named = zip(("precision", "recall", "F1", "adjusted Rand"), rates, strict=True)
    values = [(name, getattr(found, rate)) for name, rate in named]
    out.print(Text("Clusters, without regard to which item is their head", "bold"))
    counts = ", ".join(counted(count, _KIND[kind]) for kind, count in found.counts if count)
    moved = f"; {counted(found.moved, 'item')} with other cluster mates" if found.moved else ""
    out.print(Text(f"  {counts or 'the same groups'}{moved}"))
    pairs = (
        f"{number(found.pairs_common)} in common of A's {number(found.pairs_a)}, B's {number(found.pairs_b)}"
    )
    scores = ", ".join(f"{name} {value:.6f}" for name, value in values if value is not None)
    out.print(Text(f"  pairs in one cluster: {pairs}"))
    out.print(Text(f"  {scores}"))
    for group in found.regroupings[:REGROUPINGS]:
        out.print(Text.assemble(f"  {group.kind:<7} ", (_regrouping(group), "dim")))
    if (rest := sum(count for _, count in found.counts) - REGROUPINGS) > 0:
        out.print(Text(f"  … and {number(rest)} more (--json has {len(found.regroupings)} of them)", "dim"))
    out.print()


_KIND = {
    "split": "split",
    "merge": "merge",
    "move": "move",
    "members": "cluster that lost or got item",
    "head": "cluster under other head",
    "missing": "A-only cluster",
    "extra": "B-only cluster",
}


def _regrouping(group: Regrouping) -> str:
    sides = " -> ".join(
        "nothing"
        if not clusters
        else " + ".join(f"{printable(head, 20)} ({size})" for head, size in clusters[:2])
        + (f" + {count - 2} more" if count > 2 else "")
        for clusters, count in ((group.clusters_a, group.count_a), (group.clusters_b, group.count_b))
    )
    if not group.bridges:
        return sides
    first = group.bridges[0]
    link = f"edge {printable(first.id, 14)} with {printable(first.earlier, 14)}" if first.earlier else ""
    return f"{sides}\n         {first.side} only: {link or 'item ' + printable(first.id, 30)}"


def _show_uncovered(coverage: Coverage, out: Console) -> None:
    rows = [(coverage.missing, coverage.extra, coverage.wrong)]
    title = f"{printable(coverage.run, 60)} is not what the lake says, by ids"
    out.print(table(title, ["missing in the run", "extra in the run", "another version"], rows))
    for item in coverage.uncovered[:UNCOVERED]:
        at = f"  at {item.at[0]}:{item.at[1]}  (lake | run)"
        out.print(Text.assemble(f"{item.kind:<8} ", (printable(item.id, 44), "bold"), (at, "dim")))
        for field in item.fields:
            out.print(_field(field))
    if coverage.extra and coverage.gaps:
        missing = f"{counted(coverage.gaps, 'offset')} before the fence are in no file of the lake"
        out.print(Text(f"{missing}: was it archived too late?", "dim"))
    if coverage.dead_letters:
        show_reasons("Dead letters by reason", ("lake", "run"), coverage.dead_letters, out)
    out.print()


def show_gates(gates: Iterable[Gate], out: Console) -> None:
    """Those that found or allow anything."""
    rows = [
        (
            gate.kind,
            gate.found,
            "any" if gate.limit is None else gate.limit,
            "ok" if gate.passed else "FAILED",
        )
        for gate in gates
        if gate.found or gate.limit
    ]
    if rows:
        out.print(table("Gates", ["class", "found", "allowed", ""], rows))
        out.print()


def _verdict(result: Result) -> Text:
    rows_a, differ = (sum(getattr(s, name) for s in result.stages) for name in ("rows_a", "rows_differ"))
    if result.verdict == "parity":
        return Text(f"PARITY: all {number(rows_a)} rows are equal.", "bold green")
    found = f"{counted(result.total, 'difference')}; {counted(differ, 'row')} in all that are not equal"
    if result.uncovered:
        found += f"; {number(result.uncovered)} not as the lake has them"
    if result.passed:
        explained = sum(count.explains for count in result.causes)
        return Text(f"WITHIN GATES: {found}; {number(explained)} of them explained.", "bold yellow")
    failed = [f"{use.name} is {use.state}" for use in result.known if not use.passed]
    why = f" Known differences: {printable('; '.join(failed), 200)}." if failed else ""
    return Text(f"DIFFERENCES: {found}.{why}", "bold red")
