"""What a benchmark gives, and how it is shown: on the terminal, as JSON and in a Markdown page."""

import importlib.metadata
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

WIDTH = 100


class Skipped(Exception):
    """A benchmark that cannot be run here; why, in a sentence."""


@dataclass(frozen=True)
class Table:
    """rows: cells as they are shown. notes: sentences below it. numbers: the same for machines."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    numbers: dict[str, Any] = field(default_factory=dict)


def machine() -> dict[str, str]:
    """Where and when this was measured. `load` is the machine's load average at that moment."""
    names = ("numpy", "numba", "pyarrow", "pyspark", "rocksdict", "kafka-python", "datasketch", "rensa")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "date": date.today().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def text(table: Table) -> str:
    """The table for a terminal, at most WIDTH columns wide."""
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    lines = [_line(row, widths) for row in (table.columns, ["-" * width for width in widths], *table.rows)]
    assert max(map(len, lines)) <= WIDTH, f"the table {table.title!r} is too wide"
    notes = [textwrap.fill(note, WIDTH) for note in table.notes]
    return "\n".join([table.title, "", *lines, "", *notes, ""])


def markdown(table: Table) -> str:
    """The table as a section of a Markdown page."""
    rows = [table.columns, ["---", *["---:" for _ in table.columns[1:]]], *table.rows]
    return "\n".join(
        [f"## {table.title}", "", *["| " + " | ".join(row) + " |" for row in rows], "", *_list(table.notes)]
    )


def rewrite(page: Path, name: str, section: str) -> None:
    """Put a section between its markers in a page; what stands around them stays."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    old = page.read_text("utf-8")
    if start not in old or end not in old:
        raise SystemExit(f"{page} has no lines {start.strip()!r} and {end.strip()!r}; put them where it goes")
    before, _, rest = old.partition(start)
    _, _, after = rest.partition(end)
    page.write_text(before + start + section + "\n" + end + after, "utf-8")


def _list(notes: Sequence[str]) -> list[str]:
    return [*[f"- {note}" for note in notes], ""] if notes else []


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *[cell.rjust(width) for cell, width in others]]).rstrip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"
