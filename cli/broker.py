"""`crossfade broker`: a local Apache Kafka, for trying and for tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.group()
def command() -> None:
    """A local Apache Kafka (KRaft, one node): its jars come once, by Maven."""


def _data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="The broker's folder  [~/.cache/crossfade/broker].",
    )(function)


@command.command()
@_data_option
@click.option("--port", type=click.IntRange(0, 65535), default=9092, show_default=True, help="0: a free one.")
def start(data: Path | None, port: int) -> None:
    """Start it, wait until it answers, and leave it running."""
    from stream import broker

    folder = data or broker.default_data()
    running = broker.start(folder, port)
    click.echo(f"Kafka answers at {running.bootstrap_servers} (process {running.pid}, data in {folder})")


@command.command()
@_data_option
def stop(data: Path | None) -> None:
    """Stop it. Its data stay."""
    from stream import broker

    folder = data or broker.default_data()
    stopped = broker.stop(folder)
    click.echo(
        f"stopped the broker at {stopped.bootstrap_servers}" if stopped else f"no broker runs on {folder}"
    )


@command.command()
@_data_option
def status(data: Path | None) -> int:
    """Say whether it runs. Exit status 0 if it does, else 1."""
    from stream import broker

    folder = data or broker.default_data()
    running = broker.status(folder)
    if running is None:
        click.echo(f"no broker runs on {folder}")
        return 1
    click.echo(f"Kafka answers at {running.bootstrap_servers} (process {running.pid}, data in {folder})")
    return 0
