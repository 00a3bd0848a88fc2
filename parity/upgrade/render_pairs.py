"""The pairs that an upgrade gains and loses, for the terminal: how many, what the features say, the first."""

from rich.console import Console
from rich.text import Text

from parity.show import counted, printable, table
from parity.upgrade import tables
from parity.upgrade.result import NO, UNKNOWN, YES, Judge, Pair, Pairs, Upgrade
from parity.upgrade.words import contradictions, fate, measures, not_judged

SHOWN = 10  # pairs
BAR = 24  # characters


def show_pairs(result: Upgrade, out: Console) -> None:
    """Print how many pairs were kept, gained and lost, what judges them, and the first that B misses."""
    columns = ["pairs", "A", "B", "kept", "by another channel", "other numbers", "gained", "lost"]
    out.print(table("Pairs: edges, and members with their heads", columns, tables.pair_counts(result)))
    out.print()
    for pairs in (result.edges, result.memberships):
        _show_truths(pairs, out)
    for sentence in contradictions(result):
        out.print(Text(sentence, "bold red"))
        out.print()
    _show_whys(result.edges, out)
    for judge in result.judges:
        if sum(judge.gained + judge.lost):
            _show_histogram(judge, out)
    _show_missed(result, out)


def _show_truths(pairs: Pairs, out: Console) -> None:
    """What the features say of the pairs gained and lost."""
    if not (pairs.gained.pairs or pairs.lost.pairs):
        return
    title = (
        f"The {pairs.what} gained and lost, by the features (joined, parted: in one cluster of one run only)"
    )
    out.print(table(title, ["", "gained", "joined", "lost", "parted"], tables.truths(pairs)))
    for sentence in not_judged(pairs):
        out.print(Text(sentence, "dim"))
    out.print()


def _show_whys(edges: Pairs, out: Console) -> None:
    if rows := tables.whys(edges):
        title = "Why a run has not got an edge that is true by its own rule"
        out.print(table(title, ["", "A (gained)", "B (lost)"], rows))
        out.print()


def _show_histogram(judge: Judge, out: Console) -> None:
    most = max(*judge.gained, *judge.lost)
    rows = [
        (name, gained, _bar(gained, most), lost, _bar(lost, most))
        for name, gained, lost in zip(judge.bins, judge.gained, judge.lost, strict=True)
    ]
    title = f"Edges gained and lost, by {judge.by} ({printable(judge.name, 30)})"
    out.print(table(title, ["", "gained", "", "lost", ""], rows[::-1]))
    out.print()


def _bar(count: int, most: int) -> str:
    return "█" * (-(-count * BAR // most)) if count else ""


def _show_missed(result: Upgrade, out: Console) -> None:
    """Edges that B misses by its own rule, those that are parted first; then those that nobody can judge."""
    lost = [pair for pair in result.edges.lost.listed if pair.new != NO]
    if not lost:
        return
    total = sum(result.edges.lost.true(truth) for truth in (YES, UNKNOWN))
    shown = lost[:SHOWN]
    out.print(Text(f"First {len(shown)} of {counted(total, 'edge')} lost that count", "bold"))
    for pair in shown:
        out.print(_pair(pair))
    out.print(Text("crossfade explain ID ID shows such a pair stage by stage.", "dim"))
    out.print()


def _pair(pair: Pair) -> Text:
    names = f"  {printable(pair.id, 26)} with {printable(pair.earlier, 26)}"
    numbers = measures(pair)
    return Text.assemble(names, (f"\n      {numbers}{': ' if numbers else ''}{fate(pair, lost=True)}", "dim"))
