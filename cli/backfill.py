"""`crossfade backfill`: a lake or files in, a run out."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.options import column_options
from shared.source_events import ColumnOptions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@click.command()
@click.option("--spec", "spec_name", required=True, help="A preset's name or a TOML file.")
@click.option(
    "--input",
    "inputs",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="A lake; or a file or folder as `publish` takes them (may be repeated).",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the run to write.")
@click.option("--master", help="Spark master URL  [spark-submit's, or all cores of this machine].")
@click.option(
    "--decider", type=click.Choice(["driver", "joins"]), help="Where clusters are decided  [by size]."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@column_options
def command(
    spec_name: str,
    inputs: tuple[Path, ...],
    output: Path,
    master: str | None,
    decider: str | None,
    as_json: bool,
    columns: ColumnOptions,
) -> None:
    """Find the near-duplicates of everything in the input, with Spark, and write them as a run.

    If it is stopped or killed, the same command goes on after the last complete stage. The column options
    are for files; a lake has none.
    """
    from batch import session
    from batch.backfill import STAGES, backfill
    from batch.inputs import open_input
    from batch.job import Settings
    from shared.spec import load
    from shared.uris import check_schemes

    check_schemes()
    spec = load(spec_name)
    source = open_input(inputs, columns)
    started = time.monotonic()
    console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
    shown = Shown(console, [stage.name for stage in STAGES])

    def start_spark() -> "SparkSession":
        spark = session.start(master)
        shown.tasks = partial(session.running_tasks, spark)
        return spark

    # Standard output is left alone: it may be a pipe.
    live = Live(shown, console=console, refresh_per_second=2, transient=True, redirect_stdout=False)
    with nullcontext() if console.quiet else live:
        settings = Settings(decider=decider)
        run = backfill(start_spark, spec, source, output, settings, shown.ended, shown.begun)
    seconds = time.monotonic() - started
    if as_json:
        summary = {"run": str(output), "contract_id": run.contract_id, "seconds": run.manifest["seconds"]}
        click.echo(json.dumps(summary | {"counts": run.manifest["counts"], "input": run.manifest["input"]}))
        return
    show(run.manifest, output, seconds)


class Shown:
    """A backfill on a terminal: a line for each stage that is done, and one for what Spark is at."""

    def __init__(self, console: Console, stages: list[str]) -> None:
        self._console, self._stages = console, stages
        self._now, self._since = "starting Spark", time.monotonic()
        self.tasks: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def begun(self, stage: str) -> None:
        self._now, self._since = self._numbered(stage), time.monotonic()

    def ended(self, stage: str, counts: dict[str, Any], seconds: float) -> None:
        self._console.print(f"{self._numbered(stage)} {seconds:.1f} s", markup=False, highlight=False)

    def __rich__(self) -> Text:
        line = f"{self._now} {time.monotonic() - self._since:.0f} s"
        with suppress(Exception):  # of a Spark that is being stopped, which whoever does that will say
            done, tasks = self.tasks()
            line += f", {done:,} of {tasks:,} tasks" if tasks else ""
        return Text(line)

    def _numbered(self, stage: str) -> str:
        return f"[{self._stages.index(stage) + 1}/{len(self._stages)}] {stage}"


def show(manifest: dict[str, Any], output: Path, seconds: float) -> None:
    from parity.show import console, counted, table

    counts = manifest["counts"]
    out = console()
    rows = [(name.replace("_", " "), value) for name, value in counts.items() if isinstance(value, int)]
    rows += [(f"status {name}", value) for name, value in sorted(counts["statuses"].items())]
    rows += [(f"dead letters, {name}", value) for name, value in sorted(counts["dead_letters"].items())]
    out.print(table("What was found", ["what", "count"], rows), "")
    times = [(name, f"{value:.1f}") for name, value in manifest["seconds"].items()]
    out.print(table("Seconds by stage", ["stage", "seconds"], times), "")
    rate = counts["records"] / max(seconds, 1e-9)
    out.print(f"{output}: {counted(counts['records'], 'record')} in {seconds:.1f} s ({rate:,.0f} a second)")
    out.print(f"contract {manifest['contract_id']}")
