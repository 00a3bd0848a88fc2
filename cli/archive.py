"""`crossfade archive`: copy an event log into a lake, up to a fence."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from cli.options import KafkaSettings, kafka_options


@click.command()
@click.option("--topic", required=True, help="The items topic: a Kafka topic or file:DIR.")
@click.option(
    "--lake", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the lake."
)
@click.option(
    "--until", type=click.Path(path_type=Path), help="Stop at this fence (a file or a lake)  [the log's end]."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@kafka_options
def command(topic: str, lake: Path, until: Path | None, as_json: bool, settings: KafkaSettings) -> None:
    """Copy what TOPIC holds beyond the lake's fence into LAKE, as Parquet.

    A new lake starts at the log's beginning. It may be stopped at any time: run it again and it goes on.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from shared.fence import read_fence
    from stream.archive import archive
    from stream.logs.open import open_reader

    fence = read_fence(until) if until else None
    console = Console(stderr=True)
    columns = (TextColumn("archiving"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    reader = open_reader(topic, settings)
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("archive", total=None)
            done = archive(reader, lake, fence, lambda at, total: bar.update(task, completed=at, total=total))
    finally:
        reader.close()
    if as_json:
        click.echo(json.dumps(asdict(done) | {"fence": done.fence.to_json(), "lake": str(lake)}))
        return
    click.echo(f"{lake}: {done.records:,} records in {done.files:,} files ({done.bytes:,} bytes) added")
    if done.dropped:
        click.echo(f"{done.dropped:,} offsets at the log's start were gone before this lake began")
    click.echo(f"stands at {done.fence.describe()}")
