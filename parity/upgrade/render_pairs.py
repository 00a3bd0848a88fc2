"""The pairs that an upgrade gains and loses, for the terminal: how many, what the features say, the first."""

from rich.console import Console
from rich.text import Text

from parity.show import counted, number, printable, table
from parity.upgrade.result import NO, UNKNOWN, WHYS, YES, Judge, Pair, Pairs, Upgrade

SHOWN = 10  # pairs
BAR = 24  # characters
_MEANS = {
    (YES, YES): "true by both: the other run misses it",
    (NO, YES): "true by the new rule alone",
    (YES, NO): "true by the old rule alone",
    (NO, NO): "true by neither",
    (UNKNOWN, YES): "true by the new rule; the old: unknown",
    (UNKNOWN, NO): "not true by the new rule; the old: unknown",
    (YES, UNKNOWN): "true by the old rule; the new: unknown",
    (NO, UNKNOWN): "not true by the old rule; the new: unknown",
    (UNKNOWN, UNKNOWN): "unknown by both: no tokens are kept",
}


def show_pairs(result: Upgrade, out: Console) -> None:
    """Print how many pairs were kept, gained and lost, what judges them, and the first that B misses."""
    both = (result.edges, result.memberships)
    columns = ["pairs", "A", "B", "kept", "by another channel", "other numbers", "gained", "lost"]
    out.print(table("Pairs: edges, and members with their heads", columns, [_counts(p) for p in both]))
    out.print()
    for pairs in both:
        _show_truths(pairs, out)
    _show_contradictions(result, out)
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
        for truth, means in _MEANS.items()
        if any(truth in count for count in counts)
    ]
    title = (
        f"The {pairs.what} gained and lost, by the features (joined, parted: in one cluster of one run only)"
    )
    out.print(table(title, ["", "gained", "joined", "lost", "parted"], rows))
    for unequal, part in (("events", "set_aside"), ("features", "unequal")):
        gained, lost = (getattr(side, part) for side in sides)
        if gained or lost:
            who = f"{number(gained)} gained and {number(lost)} lost"
            out.print(Text(f"Not judged: {who}, of ids whose {unequal} are not equal.", "dim"))
    for name, side in (("gained", pairs.gained), ("lost", pairs.lost)):
        if side.sampled:
            of = number(side.pairs - side.set_aside)
            out.print(Text(f"Of those {name} a sample of {number(side.sample)} of {of} was judged.", "dim"))
    out.print()


def _show_contradictions(result: Upgrade, out: Console) -> None:
    """Edges that a run has against its own rule. Where that is exact, no spec explains them."""
    for run, side, rules, has in (
        ("A", result.edges.lost, [r for judge in result.judges for r in judge.rules_a], "old"),
        ("B", result.edges.gained, [r for judge in result.judges for r in judge.rules_b], "new"),
    ):
        wrong = sum(truth.pairs for truth in side.truths if getattr(truth, has) == NO)
        if wrong and not any(rule.startswith("agreement") for rule in rules):
            what = (
                f"{run} has {counted(wrong, 'edge')} that its own rule does not take: its engine is at fault"
            )
            out.print(Text(f"{what}; compare it with another engine's run of its spec.", "bold red"))
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
    numbers = ", ".join(
        f"{printable(m.by, 12)} {number(m.numerator)}"
        + (f"/{number(m.denominator)}" if m.denominator > 1 else "")
        for m in pair.measures
    )
    why = pair.why or "not judgeable"
    names = f"  {printable(pair.id, 26)} with {printable(pair.earlier, 26)}"
    places = {
        (True, True): "in one cluster of both",
        (True, False): "parted",
        (False, True): "joined by others",
    }
    place = places.get((pair.together_a, pair.together_b), "in two clusters of both")
    return Text.assemble(names, (f"\n      {numbers}{': ' if numbers else ''}{why}; {place}", "dim"))
