"""`crossfade publish`: pictures, JSONL or Parquet into an event log."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.options import KafkaSettings, kafka_options


class EventTime(click.ParamType[int]):
    """Milliseconds since 1970, or an ISO 8601 date and time (without a zone: UTC)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither milliseconds since 1970 nor an ISO 8601 time", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--topic", required=True, help="A Kafka topic or file:DIR; created where there is none.")
@click.option("--id-column", default="id", show_default=True, help="Column of the ids.")
@click.option("--text-column", help="Column of the texts.")
@click.option("--vector-column", help="Column of the vectors (lists of numbers).")
@click.option("--uri-column", help="Column of the pictures' URIs.")
@click.option("--sha256-column", help="Column of the pictures' sha256  [read from the files].")
@click.option("--op-column", help="Column of upsert or delete  [all upsert].")
@click.option(
    "--event-time-column", default="event_time", show_default=True, help="Column of milliseconds or times."
)
@click.option("--event-time", type=EventTime(), help="One time for all: milliseconds or ISO 8601.")
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True, help="Of a new topic.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@kafka_options
def command(
    source: Path,
    topic: str,
    id_column: str,
    text_column: str | None,
    vector_column: str | None,
    uri_column: str | None,
    sha256_column: str | None,
    op_column: str | None,
    event_time_column: str,
    event_time: int | None,
    partitions: int,
    as_json: bool,
    settings: KafkaSettings,
) -> None:
    """Publish SOURCE to TOPIC, keyed by id.

    SOURCE is a folder of pictures (id: the path in the folder; time: the file's), a JSONL file, or
    Parquet (a file, or a folder of them). Without a text, vector or URI column, the lines of a JSONL file
    and the column `value` of Parquet are complete events. What is broken is published as it is:
    downstream it becomes a dead letter with its reason.
    """
    from shared.source_events import ColumnOptions
    from shared.sources import open_source
    from stream.logs.open import ensure_topic, open_writer
    from stream.publish import publish

    columns = ColumnOptions(
        id=id_column,
        event_time=event_time_column,
        op=op_column,
        text=text_column,
        vector=vector_column,
        uri=uri_column,
        sha256=sha256_column,
        fixed_event_time=event_time,
    )
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
