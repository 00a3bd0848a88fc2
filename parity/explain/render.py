"""An explanation for the terminal, in 100 columns: a section a stage, the sides beside each other."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.explain.explain import NAMES
from parity.explain.lines import BOTH, Line
from parity.explain.lines_later import LINES
from parity.explain.result import STAGES, Explanation, SideView
from parity.explain.verdict import sentences
from parity.show import WIDTH, facts, printable

SAME, DIFFERS = "=", "≠"
_LABEL = 16
_GAP = 2


def show(explanation: Explanation, out: Console) -> None:
    """Print what was looked at, the seven stages, and what it comes to."""
    out.print(facts(_looked_at(explanation)))
    for number, stage in enumerate(STAGES, 1):
        out.print()
        out.print(_heading(explanation, number, stage))
        for part in _section(explanation, stage):
            out.print(part)
    out.print()
    first, *rest = sentences(explanation)
    out.print(Text(printable(first), "bold green" if explanation.sound else "bold red"))
    for text in (*rest, *explanation.notes):
        out.print(Text(printable(text)))


def _looked_at(explanation: Explanation) -> Iterator[tuple[str, str]]:
    yield from zip(("item", "and"), explanation.ids, strict=False)
    for side in explanation.sides:
        yield side.name, f"{side.path}  ({_what(side)})"
    places = [side.stands_at for side in explanation.sides]
    if len(set(places)) == 1:
        yield ("both stand at" if len(places) == 2 else "stands at"), places[0]
    else:
        yield from ((f"{side.name} stands at", side.stands_at) for side in explanation.sides)
    yield "contract", explanation.contract_id
    yield "lake", next((side.lake for side in explanation.sides if side.lake), "none was looked into")
    if len(explanation.sides) == 2:
        yield "signs", f"{SAME} on both sides    {DIFFERS} they differ: A | B"


def _what(side: SideView) -> str:
    return "a consumer's state" if side.kind == "state" else f"a run of {side.engine}"


def _heading(explanation: Explanation, number: int, stage: str) -> Text:
    text = Text(f"{number} {stage}", "bold")
    if explanation.parting is not None and explanation.parting.stage == stage:
        text.append("   <-- they part here", "bold red")
    for side in explanation.sides:
        if side.faults and side.faults[0].stage == stage:
            text.append(f"   <-- {side.name}'s own rows do not follow here", "bold red")
    return text


def _section(explanation: Explanation, stage: str) -> Iterator[Text | Table]:
    lines = [list(LINES[stage](side, explanation)) for side in explanation.sides]
    group = None
    for line, texts in _beside(lines):
        if line.group != group and len(explanation.ids) > 1:
            group = line.group
            yield Text(f"  {'the two' if group == BOTH else printable(group, WIDTH - 4)}", "bold")
        yield _row(line, texts)


def _row(line: Line, texts: Sequence[str | None]) -> Table:
    """A value of both sides, or of one side alone, over the whole width; two that differ in a column each."""
    same = len(set(texts)) == 1
    cells = [f"{name}  {text}" for name, text in zip(NAMES, texts, strict=False) if text is not None]
    if same:
        cells = [str(texts[0])]
    elif len(cells) == 1:
        cells = [f"in {cells[0]}"]
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(width=1)
    table.add_column(width=_LABEL)
    width = (WIDTH - 1 - _LABEL - (2 + len(cells)) * _GAP) // len(cells)
    for _ in cells:
        table.add_column(width=width, overflow="fold")
    mark = "" if len(texts) == 1 else SAME if same else DIFFERS
    table.add_row(Text(mark), Text(line.label), *(Text(cell, "" if same else "bold red") for cell in cells))
    return table


def _beside(sides: Sequence[Sequence[Line]]) -> Iterator[tuple[Line, list[str | None]]]:
    """The lines of all sides in order, those with one group and key together; None where a side has none."""
    first: dict[tuple[str, str], Line] = {}
    texts: dict[tuple[str, str], list[str | None]] = {}
    for number, lines in enumerate(sides):
        for line in lines:
            place = (line.group, line.key)
            first.setdefault(place, line)
            texts.setdefault(place, [None] * len(sides))[number] = line.text
    groups = dict.fromkeys(group for group, _ in first)
    for place in sorted(first, key=lambda place: list(groups).index(place[0])):
        yield first[place], texts[place]
