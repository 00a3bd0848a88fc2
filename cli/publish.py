"""`crossfade publish`: pictures, JSONL or Parquet into an event log."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.options import KafkaSettings, column_options, kafka_options
from shared.source_events import ColumnOptions


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--topic", required=True, help="A Kafka topic or file:DIR; created where there is none.")
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True, help="Of a new topic.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@column_options
@kafka_options
def command(
    source: Path,
    topic: str,
    partitions: int,
    as_json: bool,
    columns: ColumnOptions,
    settings: KafkaSettings,
) -> None:
    """Publish SOURCE to TOPIC, keyed by id.

    SOURCE is a folder of pictures (id: the path in the folder; time: the file's), a JSONL file, or
    Parquet (a file, or a folder of them). Without a text, vector or URI column, the lines of a JSONL file
    and the column `value` of Parquet are complete events. What is broken is published as it is:
    downstream it becomes a dead letter with its reason.
    """
    from shared.sources import open_source
    from stream.logs.open import ensure_topic, open_writer
    from stream.publish import publish

    opened = open_source(source, columns)
    created = ensure_topic(topic, settings, partitions=partitions, append_time=True)
    writer = open_writer(topic, settings)
    try:
        with _progress(opened.total) as report:
            result = publish(opened, writer, topic, report)
    finally:
        writer.close()
    if as_json:
        click.echo(json.dumps({"topic": topic, "created": created, **asdict(result)}))
        return
    rate = result.records / max(result.seconds, 1e-9)
    click.echo(
        f"published {result.records:,} records to {topic} in {result.seconds:.1f} s ({rate:,.0f} a second)"
    )
    if result.without_id:
        click.echo(f"{result.without_id:,} of them have no readable id and will be dead letters")
    if result.skipped:
        click.echo(f"{result.skipped:,} files are no pictures by their suffix and were left out")


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; gives the function that moves it."""
    console = Console(stderr=True)
    shown = (TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("publishing", total=total)
        yield lambda records: bar.update(task, completed=records)
