"""What is said of an upgrade, in the terminal and on the page: plain text, nothing escaped."""

from collections.abc import Iterator

from parity.show import counted, number, printable
from parity.upgrade.result import NO, UNKNOWN, YES, OneSided, Pair, Pairs, Upgrade

# By (old, new) of a Truth.
MEANS = {
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
# Of a pair: whether both ends are in one cluster of the run that has it, and of the other.
_PLACES = {
    (True, True): ("in one cluster of both", "in one cluster of both"),
    (True, False): ("parted", "joined"),
    (False, True): ("joined by others", "parted by others"),
    (False, False): ("in two clusters of both", "in two clusters of both"),
}


def verdict(result: Upgrade) -> str:
    """What B misses and gains, in one sentence without its full stop."""
    edges = result.edges
    missed, unknown = (_estimate(edges.lost, edges.lost.true(truth)) for truth in (YES, UNKNOWN))
    lost = f"of A's {counted(edges.in_a, 'edge')} B misses {missed} that its own rule takes"
    if edges.lost.true(YES):
        lost += f" ({_estimate(edges.lost, edges.lost.parted(YES))} parted)"
    if edges.lost.true(UNKNOWN):
        lost += f" and {unknown} that nobody can judge"
    if edges.lost.set_aside:
        lost += f" and {number(edges.lost.set_aside)} whose events are not equal"
    if result.events.dropped:
        lost += f", and {counted(result.events.dropped, 'item')} that A has features of"
    return f"{lost}; it gains {_estimate(edges.gained, edges.gained.true(YES))} that its rule takes"


def over(result: Upgrade) -> str:
    """The gates that fail."""
    return ", ".join(gate.kind for gate in result.gates if not gate.passed)


def _estimate(side: OneSided, count: int) -> str:
    return about(side, count) if count else "none"


def about(side: OneSided, count: int) -> str:
    """A count of the sample, for all pairs."""
    return f"about {number(side.estimated(count))}" if side.sampled and count else number(count)


def cost_note(result: Upgrade) -> str:
    """What must be known of the costs; empty where nothing."""
    stream = "stream" in (result.a.engine, result.b.engine)
    return "The seconds of a stream's run are those of its export alone." if stream else ""


def contradictions(result: Upgrade) -> Iterator[str]:
    """Of the edges that a run has against its own rule. Where that is exact, no spec explains them."""
    for run, side, rules, has in (
        ("A", result.edges.lost, [r for judge in result.judges for r in judge.rules_a], "old"),
        ("B", result.edges.gained, [r for judge in result.judges for r in judge.rules_b], "new"),
    ):
        wrong = sum(truth.pairs for truth in side.truths if getattr(truth, has) == NO)
        if wrong and not any(rule.startswith("agreement") for rule in rules):
            what = f"{run} has {counted(wrong, 'edge')} that its own rule does not take"
            yield f"{what}: its engine is at fault; compare it with another engine's run of its spec."


def not_judged(pairs: Pairs) -> Iterator[str]:
    """Which of the pairs gained and lost nothing is told of."""
    for unequal, part in (("events", "set_aside"), ("features", "unequal")):
        gained, lost = (getattr(side, part) for side in (pairs.gained, pairs.lost))
        if gained or lost:
            who = f"{number(gained)} gained and {number(lost)} lost"
            yield f"Not judged: {who}, of ids whose {unequal} are not equal."
    for name, side in (("gained", pairs.gained), ("lost", pairs.lost)):
        if side.sampled:
            of = number(side.pairs - side.set_aside)
            yield f"Of those {name} a sample of {number(side.sample)} of {of} was judged."


def measures(pair: Pair) -> str:
    """Such as "words 12/14"; empty where nothing judges the pair."""
    return ", ".join(
        f"{printable(m.by, 12)} {number(m.numerator)}"
        + (f"/{number(m.denominator)}" if m.denominator > 1 else "")
        for m in pair.measures
    )


def fate(pair: Pair, lost: bool) -> str:
    """Why the other run has not got a pair that is lost or gained, and where its ends are."""
    truth = pair.new if lost else pair.old  # by that run's rule
    why = pair.why or ("not judgeable" if truth == UNKNOWN else "")
    together = (pair.together_a, pair.together_b) if lost else (pair.together_b, pair.together_a)
    return f"{why}{'; ' if why else ''}{_PLACES[together][not lost]}"
