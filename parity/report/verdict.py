"""The verdict: in sentences for whoever decides, and as a table of the gates."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from parity.markup import Html, figures, table, text
from parity.result import Gate, Result
from parity.show import counted, number

_HEADLINES = {"parity": "Parity", "within gates": "Within the gates", "differences": "Differences"}
_CLASSES = {
    "missing": "A has it, B does not",
    "extra": "B has it, A does not",
    "wrong": "both have it, not the same",
    "late": "of events that only one run had seen",
    "known": "registered, with owner and expiry",
    "uncovered": "not what the lake says",
}


def top(result: Result) -> Html:
    engines = f"{text(result.a.engine, 40)} against {text(result.b.engine, 40)}"
    first, *more = sentences(result)
    kind = result.verdict.replace(" ", "-")
    return header(
        f"crossfade diff · {engines}", kind, _HEADLINES[result.verdict], first, more, _figures(result)
    )


def header(
    eyebrow: str, kind: str, headline: str, first: str, more: Iterable[str], large: Mapping[str, int | str]
) -> Html:
    """eyebrow: escaped. kind: parity, differences or within-gates. first, more: sentences. large: figures."""
    return Html(
        f'<header class="top {kind}"><p class="eyebrow">{eyebrow}</p>\n'
        f'<h1><span class="mark" aria-hidden="true"></span>{headline}</h1>\n'
        f'<p class="sentence">{text(first)}</p>\n'
        f"{''.join(f'<p>{text(sentence)}</p>' for sentence in more)}</header>\n{figures(large)}"
    )


def _figures(result: Result) -> dict[str, int | str]:
    differ = sum(stage.rows_differ for stage in result.stages)
    lake: int | str = result.uncovered or ("covered" if result.coverage else "not looked at")
    return {
        "items compared": _items(result),
        "rows compared": sum(max(stage.rows_a, stage.rows_b) for stage in result.stages),
        "differences": result.total,
        "rows that are not equal": differ,
        "against the lake" if not result.uncovered else "not as the lake says": lake,
    }


def sentences(result: Result) -> Iterator[str]:
    """The first says it all to somebody who reads no further. Plain text."""
    rows = sum(stage.rows_a for stage in result.stages)
    if result.total:
        gates = f"; {_gates(result)}" if _gates(result) else ""
        yield f"{_who(result)}{_where(result)}{gates}."
        explained = sum(cause.explains for cause in result.causes)
        if explained:
            they = "They explain" if result.total > 1 else "It explains"
            yield f"{they} {counted(explained, 'further row')} that {_verb(explained, 'differ')}."
    elif result.uncovered:
        yield f"The two runs are equal in all {number(rows)} rows, but they are not what the lake says."
    else:
        yield (
            f"All {counted(_items(result), 'item')} agree: the two runs are equal in every one of their "
            f"{number(rows)} rows, at all seven stages."
        )
    if result.dead_letters and result.differences:
        reasons = counted(len(result.dead_letters), "reason")
        yield f"The numbers of dead letters differ for {reasons}; these are differences of the event."
    yield from _lake(result)
    for use in result.known:
        if not use.passed:
            over = f"is over its cap: {number(use.found)} where at most {number(use.cap)} may be"
            yield f"The known difference “{use.name}” {'has expired' if use.state == 'expired' else over}."


def _who(result: Result) -> str:
    listed, others = len(result.differences), len(result.dead_letters)
    if listed + others < result.total:
        return f"{counted(result.total, 'difference')} in {counted(_items(result), 'item')}"
    ids = len({difference.id for difference in result.differences})
    if not ids:
        return f"No item differs, but the numbers of dead letters do, for {counted(others, 'reason')}"
    return f"{number(ids)} of {counted(_items(result), 'item')} {_verb(ids, 'differ')}"


def _where(result: Result) -> str:
    begun = [(cause.cause, cause.total) for cause in result.causes if cause.total]
    if len(begun) == 1:
        every = "all begin" if result.total > 1 else "beginning"
        return f", {every} at the {begun[0][0]} stage"
    return f", beginning at the stages {', '.join(f'{cause} ({number(count)})' for cause, count in begun)}"


def _gates(result: Result) -> str:
    """What the gates say of the differences; empty where they fail for another reason."""
    failed = [gate for gate in result.gates if not gate.passed and gate.kind != "uncovered"]
    if result.passed:
        if all(cause.known == cause.total for cause in result.causes):
            return "registered as known, and within the cap"
        if all(cause.late == cause.total for cause in result.causes):
            return "of events that only one run had seen"
        return "the gates allow that many"
    if failed and all(gate.limit == 0 for gate in failed):
        some = [gate.kind for gate in result.gates if gate.passed and gate.found]
        return f"the gates allow none{f' that is {_or(failed)}' if some else ''}"
    return "over the gates: " + ", ".join(_over(gate) for gate in failed) if failed else ""


def _or(gates: list[Gate]) -> str:
    return " or ".join(gate.kind for gate in gates)


def _over(gate: Gate) -> str:
    return f"{number(gate.found)} {gate.kind} where {number(gate.limit or 0)} may be"


def _lake(result: Result) -> Iterator[str]:
    if not result.coverage:
        return
    if not result.uncovered:
        yield "Both runs hold what the lake says, no more and no less."
        return
    for side, coverage in zip("AB", result.coverage, strict=True):
        parts = [
            (coverage.missing, "id of the lake is missing", "ids of the lake are missing"),
            (coverage.extra, "id is extra", "ids are extra"),
            (coverage.wrong, "id has another version", "ids have another version"),
            (len(coverage.dead_letters), "count of dead letters differs", "counts of dead letters differ"),
        ]
        said = ", ".join(f"{number(n)} {one if n == 1 else many}" for n, one, many in parts if n)
        if said:
            yield f"Against the lake, in {side}: {said}."


def gates(result: Result) -> Html:
    unseen = frozenset() if result.coverage else frozenset({"uncovered"})
    return gates_section(result.gates, _CLASSES, unseen)


def gates_section(
    found: Iterable[Gate], meanings: Mapping[str, str], unseen: Collection[str] = frozenset()
) -> Html:
    """meanings: of each class. unseen: the classes that nobody looked at."""
    rows = [
        (
            Html(f'<span class="{_class(gate)}">{gate.kind}</span>'),
            meanings[gate.kind],
            gate.found,
            "any" if gate.limit is None else number(gate.limit),
            Html('<span class="quiet">not looked at</span>') if gate.kind in unseen else _state(gate),
        )
        for gate in found
    ]
    return Html(
        f'<section id="gates"><h2>What the gates allow</h2>\n'
        f"{table(['class', 'what it means', 'found', 'allowed', ''], rows)}</section>"
    )


def _class(gate: Gate) -> str:
    """Coloured only where there is something to see."""
    return f"kind {gate.kind}" if gate.found else "kind"


def _state(gate: Gate) -> Html:
    state = "ok" if gate.passed else "failed"
    return Html(f'<span class="state {state}">{state}</span>')


def _items(result: Result) -> int:
    return next(max(stage.rows_a, stage.rows_b) for stage in result.stages if stage.stage == "items")


def _verb(count: int, verb: str) -> str:
    return f"{verb}s" if count == 1 else verb
