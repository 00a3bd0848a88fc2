"""`crossfade inspect`: what is in a run, a lake or a state."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Group

from parity.inspect import describe
from parity.show import console, facts, number, table
from shared.errors import SourceError

_SAID = ("input", "fence")  # in a line of its own: where it stands


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--verify",
    is_flag=True,
    help="Read all of it: every byte of a run or lake; of a state, whether its records agree.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, verify: bool, as_json: bool) -> int:
    """Say what FOLDER is (a run, a lake or a consumer's state, which may be in use) and what is in it.

    Exit status 1: records of a state contradict each other (--verify). 2: it is damaged, or none of these.
    """
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder}; give the folder of a run, a lake or a state")
    description = describe(folder, verify) or _describe_state(folder, verify)
    status = 1 if description.get("contradictions") else 0
    if as_json:
        click.echo(orjson.dumps(description, option=orjson.OPT_INDENT_2))
        return status
    out = console()
    out.print(facts((_label(name), value) for name, value in _facts(description)))
    for part in _tables({name: value for name, value in description.items() if name not in _SAID}):
        out.print()
        out.print(part)
    return status


def _describe_state(folder: Path, verify: bool) -> dict[str, Any]:
    if not (folder / "CURRENT").exists():  # RocksDB's own pointer to its files
        raise SourceError(f"{folder} is no run (manifest.json), no lake (lake.json) and no consumer's state")
    from stream.inspect import describe as describe_state  # opens RocksDB; runs and lakes need none

    return describe_state(folder, verify)


def _facts(description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in description.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, number(value)
        elif not isinstance(value, dict | list) and value is not None:
            yield name, str(value)


def _tables(description: Mapping[str, Any], prefix: str = "") -> Iterator[Group]:
    """Every object and list of objects of the description as a table of its own."""
    for name, value in description.items():
        title = f"{prefix}{_label(name)}"
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            columns = list(value[0])
            rows = [[row.get(column, "") for column in columns] for row in value]
            yield table(title.capitalize(), [_label(column) for column in columns], rows)
        elif isinstance(value, dict) and _is_grid(value):
            columns = list(next(iter(value.values())))
            rows = [[key, *(row.get(column, "") for column in columns)] for key, row in value.items()]
            yield table(title.capitalize(), ["", *map(_label, columns)], rows)
        elif isinstance(value, dict):
            flat = [(key, entry) for key, entry in value.items() if not isinstance(entry, dict | list)]
            if flat:
                yield table(title.capitalize(), (), flat)
            yield from _tables({k: v for k, v in value.items() if isinstance(v, dict | list)}, f"{title}: ")


def _is_grid(value: Mapping[str, Any]) -> bool:
    """Whether it holds several objects with the same keys and nothing nested."""
    rows = list(value.values())
    return len(rows) > 1 and all(
        isinstance(row, dict)
        and row.keys() == rows[0].keys()
        and not any(isinstance(cell, dict | list) for cell in row.values())
        for row in rows
    )


def _label(name: str) -> str:
    return name.replace("_", " ")
