"""What all terminal output has in common: 100 columns, plain tables, and ids that cannot harm a terminal."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 100


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with status 1, which means differences


def console(**options: Any) -> Console:
    """A console of 100 columns; colours only on a terminal, markup nowhere."""
    return _Console(width=WIDTH, highlight=False, markup=False, emoji=False, **options)


def printable(value: object, width: int = 0) -> str:
    """Text for one cell: control and direction characters as \\u escapes, cut in the middle to `width`."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
    if width and len(text) > width:
        head = (width - 1) // 2
        text = f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
    return text


def number(value: int) -> str:
    return f"{value:,}"


def counted(count: int, noun: str) -> str:
    """Such as "1 pair" or "1,200 pairs"."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def explain_command(ids: Sequence[str], runs: Sequence[str]) -> str:
    """The command that explains one or two ids of two runs; a general one where a shell could not be given
    them."""
    if any(printable(word) != word for word in (*ids, *runs)):
        ids, runs = ["ID"], ["A", "B"]
    places = [word for run in runs for word in ("--at", run)]
    words = [*places, "--", *ids] if any(item.startswith("-") for item in ids) else [*ids, *places]
    return " ".join(["crossfade explain", *map(shlex.quote, words)])


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, a line each; long values go on below their beginning."""
    out = Table.grid(padding=(0, 2))
    out.add_column(no_wrap=True)
    out.add_column(overflow="fold")
    for name, value in rows:
        out.add_row(Text(name, "bold"), Text(printable(value)))
    return out


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Group:
    """A title over a plain table; whole numbers stand to the right. No columns: a table without a heading."""
    body = [list(row) for row in rows]
    out = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=bool(columns))
    for i, name in enumerate(columns or [""] * len(body[0])):
        whole = bool(body) and all(isinstance(row[i], int) and not isinstance(row[i], bool) for row in body)
        out.add_column(Text(name), justify="right" if whole else "left", overflow="fold")
    for row in body:
        out.add_row(*(Text(number(cell) if type(cell) is int else printable(cell)) for cell in row))
    return Group(Text(title, "bold"), out)
