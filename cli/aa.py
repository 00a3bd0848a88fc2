"""`crossfade aa`: each engine against itself, the noise floor of any comparison. It must be zero."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from cli.status import status


@dataclass(frozen=True)
class Compared:
    """Two runs of one lake. differ: rows that differ, by stage."""

    kind: str
    a: str
    b: str
    rows: int
    differ: dict[str, int]
    differences: int
    first: str


@click.command()
@click.option("--spec", "spec_name", required=True, help="A preset's name or a TOML file.")
@click.option("--lake", required=True, type=click.Path(path_type=Path), help="The lake that all runs cover.")
@click.option("--rounds", default=2, show_default=True, type=click.IntRange(2, 100), help="Runs an engine.")
@click.option("--seed", default=1, show_default=True, help="Of the orders; the same seed, the same orders.")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(["batch", "stream"]),
    help="Only this one  [both, and one against the other].",
)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the runs in this new folder.")
@click.option("--master", help="Spark master URL  [spark-submit's, or all cores of this machine].")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    spec_name: str,
    lake: Path,
    rounds: int,
    seed: int,
    engines: tuple[str, ...],
    keep: Path | None,
    master: str | None,
    as_json: bool,
) -> int:
    """Batch against batch, stream against stream, and one against the other, over one lake.

    The batch runs with other partitions, files and order each time; the stream with partitions interleaved
    otherwise, batches of any size, records that come twice, and restarts. What differs is noise, by which any
    other difference would have to be judged: it must be zero. Exit status 0: it is. 1: it is not. 2: cannot.
    """
    from shared.durable import require_new

    if keep:
        require_new(keep, "name a new folder with --keep")
    with TemporaryDirectory(prefix="crossfade-aa-") as temporary:
        folder = keep or Path(temporary)
        runs = {
            f"{engine} {number + 1}": _RUN[engine](spec_name, lake, folder, seed + number, master)
            for engine in engines or ("batch", "stream")
            for number in range(rounds)
        }
        found = list(_compare(runs))
    noise = sum(one.differences for one in found)
    if as_json:
        rows = [vars(one) for one in found]
        click.echo(json.dumps({"format": "crossfade-aa", "version": 1, "noise": noise, "compared": rows}))
    else:
        _show(found, noise)
    return 1 if noise else 0


def _batch(spec_name: str, lake: Path, folder: Path, seed: int, master: str | None) -> Path:
    from dataclasses import replace

    from batch import session
    from batch.backfill import backfill
    from batch.inputs import LakeInput, open_input
    from batch.job import Settings
    from shared.source_events import ColumnOptions
    from shared.spec import load

    rng = random.Random(seed)
    source = open_input([lake], ColumnOptions())
    if isinstance(source, LakeInput):
        files = rng.sample(source.lake.files, len(source.lake.files))
        source = replace(source, lake=replace(source.lake, files=tuple(files)))
    output = folder / f"batch-{seed}"
    settings = Settings(partitions=rng.randint(1, 16), decider=rng.choice(["driver", "joins"]))
    with status(f"batch with {settings.partitions} partitions, decided by {settings.decider}"):
        backfill(lambda: session.start(master), load(spec_name), source, output, settings)
    return output


def _stream(spec_name: str, lake: Path, folder: Path, seed: int, master: str | None) -> Path:
    from shared.spec import load
    from stream.rehearsal import rehearse

    output = folder / f"stream-{seed}"
    with status(f"stream in order {seed}") as show:
        state = folder / f"state-{seed}"
        rehearse(load(spec_name), lake, state, output, seed, lambda n: show(f"{n:,} records"))
    return output


_RUN: dict[str, Callable[..., Path]] = {"batch": _batch, "stream": _stream}


def _compare(runs: dict[str, Path]) -> Iterator[Compared]:
    from parity.diff import diff
    from shared.run import open_run

    for a, b in combinations(runs, 2):
        engines = [name.split()[0] for name in (a, b)]
        result = diff(open_run(runs[a]), open_run(runs[b]))
        yield Compared(
            "A/A" if engines[0] == engines[1] else "A/B",
            a,
            b,
            sum(stage.rows_a for stage in result.stages),
            {stage.stage: stage.rows_differ for stage in result.stages},
            result.total,
            next((count.cause for count in result.causes if count.total), ""),
        )


def _show(found: list[Compared], noise: int) -> None:
    from parity.show import console, number, table

    out = console()
    rows: list[tuple[Any, ...]] = [
        (one.kind, one.a, one.b, one.rows, sum(one.differ.values()), one.differences, one.first or "-")
        for one in found
    ]
    columns = ["", "one", "other", "rows", "rows that differ", "differences", "first stage"]
    out.print(table("The noise floor: each engine against itself, and one against the other", columns, rows))
    out.print()
    floor = sum(one.differences for one in found if one.kind == "A/A")
    out.print(f"Noise floor: {number(floor)} differences. Between engines: {number(noise - floor)}.")
