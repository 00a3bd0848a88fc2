"""The pairs that an upgrade gains and loses, for the terminal: how many, what the features say, the first."""

from rich.console import Console
from rich.text import Text

from parity.show import counted, printable, table
from parity.upgrade.result import NO, UNKNOWN, WHYS, YES, Judge, Pair, Pairs, Upgrade
from parity.upgrade.words import MEANS, contradictions, fate, measures, not_judged

SHOWN = 10  # pairs
BAR = 24  # characters


def show_pairs(result: Upgrade, out: Console) -> None:
    """Print how many pairs were kept, gained and lost, what judges them, and the first that B misses."""
    both = (result.edges, result.memberships)
    columns = ["pairs", "A", "B", "kept", "by another channel", "other numbers", "gained", "lost"]
    out.print(table("Pairs: edges, and members with their heads", columns, [_counts(p) for p in both]))
    out.print()
    for pairs in both:
        _show_truths(pairs, out)
    for sentence in contradictions(result):
        out.print(Text(sentence, "bold red"))
        out.print()
    _show_whys(result.edges, out)
    for judge in result.judges:
        if sum(judge.gained + judge.lost):
            _show_histogram(judge, out)
    _show_missed(result, out)


def _counts(pairs: Pairs) -> tuple[object, ...]:
    changed = (pairs.other_channel, pairs.other_numbers)
    return (pairs.what, pairs.in_a, pairs.in_b, pairs.kept, *changed, pairs.gained.pairs, pairs.lost.pairs)


def _show_truths(pairs: Pairs, out: Console) -> None:
    """What the features say of the pairs gained and lost."""
    sides = (pairs.gained, pairs.lost)
    if not any(side.pairs for side in sides):
        return
    counts = [{(t.old, t.new): (t.pairs, t.parted) for t in side.truths} for side in sides]
    rows = [
        (means, *(cell for count in counts for cell in count.get(truth, (0, 0))))
        for truth, means in MEANS.items()
        if any(truth in count for count in counts)
    ]
    title = (
        f"The {pairs.what} gained and lost, by the features (joined, parted: in one cluster of one run only)"
    )
    out.print(table(title, ["", "gained", "joined", "lost", "parted"], rows))
    for sentence in not_judged(pairs):
        out.print(Text(sentence, "dim"))
    out.print()


def _show_whys(edges: Pairs, out: Console) -> None:
    gained, lost = dict(edges.gained.whys), dict(edges.lost.whys)
    rows = [(why, gained.get(why, 0), lost.get(why, 0)) for why in WHYS if why in gained or why in lost]
    if rows:
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
