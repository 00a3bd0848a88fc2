"""The seven stages one after the other: rows on each side, where differences begin, and what follows."""

from collections.abc import Iterator
from dataclasses import dataclass

from parity.markup import Html, table
from parity.result import CLASSES, CauseCount, Result, StageCount
from parity.show import number

# The table in which a difference of each stage stands, and the question that the stage answers.
_STAGES = {
    "event": ("items", "Which version of an item counts?"),
    "features": ("verification", "What was extracted from it?"),
    "signature": ("signatures", "What is its short fingerprint?"),
    "bucket": ("buckets", "In which buckets does it meet others?"),
    "candidate": ("candidates", "With whom was it compared?"),
    "match": ("edges", "Who is similar enough?"),
    "cluster": ("clusters", "Which group does it belong to?"),
}


@dataclass(frozen=True)
class _Stage:
    name: str
    asks: str
    rows: StageCount
    begin: CauseCount

    @property
    def state(self) -> str:
        return "begins" if self.begin.total else "follows" if self.rows.rows_differ else "equal"


def funnel(result: Result) -> Html:
    """A section: the stages as a chain with bars, then the numbers as a table."""
    stages = list(_stages(result))
    most = max(max(s.rows.rows_a, s.rows.rows_b) for s in stages) or 1
    chain = "\n".join(_link(stage, most) for stage in stages)
    title = "Where differences begin" if result.total else "The seven stages"
    return Html(
        f'<section id="stages"><h2>{title}</h2>\n'
        '<p class="lead">Each stage is made from the one before it, so a difference shows again at every '
        "stage after the one where it began. It is counted once, where it began.</p>\n"
        f'<ol class="chain">\n{chain}\n</ol>\n<p class="note">Bars: rows of the stage in A and in B.</p>\n'
        f"{_table(result, stages)}</section>"
    )


def _stages(result: Result) -> Iterator[_Stage]:
    rows = {stage.stage: stage for stage in result.stages}
    for cause in result.causes:
        of, asks = _STAGES[cause.cause]
        yield _Stage(cause.cause, asks, rows[of], cause)


def _link(stage: _Stage, most: int) -> str:
    if stage.state == "begins":
        one = "difference begins" if stage.begin.total == 1 else "differences begin"
        says = f"<b>{number(stage.begin.total)}</b> {one} here"
    elif stage.state == "follows":
        differ = stage.rows.rows_differ
        says = f"<b>{number(differ)}</b> {'row follows' if differ == 1 else 'rows follow'}"
    else:
        says = "equal"
    bars = "".join(
        _bar(side, rows, most) for side, rows in (("a", stage.rows.rows_a), ("b", stage.rows.rows_b))
    )
    return (
        f'<li class="{stage.state}"><h3>{stage.name}</h3><p class="says">{says}</p>'
        f'<p class="asks">{stage.asks}</p><div class="bars">{bars}</div></li>'
    )


def _bar(side: str, rows: int, most: int) -> str:
    """A hair wide where there is any row at all."""
    width = max(1000 * rows // most, 8 if rows else 0) / 10
    return (
        f'<span class="bar {side}"><i style="width:{width:g}%"></i></span>'
        f'<span class="count">{side.upper()} {number(rows)}</span>'
    )


def _table(result: Result, stages: list[_Stage]) -> Html:
    rare = [kind for kind in ("late", "known") if any(getattr(c, kind) for c in result.causes)]
    kinds = [kind for kind in CLASSES if kind not in ("late", "known")] + rare
    rows = [
        (
            stage.name,
            stage.rows.rows_a,
            stage.rows.rows_b,
            stage.rows.rows_differ,
            *(_count(getattr(stage.begin, kind)) for kind in kinds),
            _count(stage.begin.explains),
        )
        for stage in stages
    ]
    begin = [f"begin here: {kind}" for kind in kinds]
    columns = ["stage", "rows A", "rows B", "rows that differ", *begin, "later rows they explain"]
    shown = len(columns) if result.total else 4
    return table(columns[:shown], [row[:shown] for row in rows], "stages numbers")


def _count(value: int) -> Html:
    return Html(f"<b>{number(value)}</b>" if value else '<span class="quiet">0</span>')
