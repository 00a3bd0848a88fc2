"""Options that several commands share."""

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from shared.source_events import ColumnOptions
from stream.logs.settings import KafkaSettings, load_settings

__all__ = ["EventTime", "KafkaSettings", "column_options", "kafka_options"]


def kafka_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --bootstrap-servers and --config; the command gets `settings: KafkaSettings` instead."""

    @click.option(
        "--bootstrap-servers",
        metavar="HOST:PORT,...",
        help="Kafka  [CROSSFADE_BOOTSTRAP_SERVERS, then the config file, then localhost:9092].",
    )
    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="TOML file whose [kafka] holds addresses and security settings  [crossfade.toml].",
    )
    @functools.wraps(function)
    def with_settings(bootstrap_servers: str | None, config: Path | None, **arguments: Any) -> Any:
        settings = load_settings(bootstrap_servers, config, os.environ)
        return function(**arguments, settings=settings)

    return with_settings


class EventTime(click.ParamType[int]):
    """Milliseconds since 1970, or an ISO 8601 date and time (without a zone: UTC)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if len(str(value)) == 8 and str(value).isdigit():
            self.fail(f"{value} may be a date or milliseconds; write a date as 2024-01-31", param, ctx)
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


def column_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which columns make an event; the command gets `columns: ColumnOptions`."""

    @click.option("--id-column", default="id", show_default=True, help="Column of the ids.")
    @click.option("--text-column", help="Column of the texts.")
    @click.option("--vector-column", help="Column of the vectors (lists of numbers).")
    @click.option("--uri-column", help="Column of the pictures' URIs.")
    @click.option("--sha256-column", help="Column of the pictures' sha256  [read from the files].")
    @click.option("--op-column", help="Column of upsert or delete  [all upsert].")
    @click.option(
        "--event-time-column",
        default="event_time",
        show_default=True,
        help="Column of milliseconds or times.",
    )
    @click.option("--event-time", type=EventTime(), help="One time for all: milliseconds or ISO 8601.")
    @functools.wraps(function)
    def with_columns(
        id_column: str,
        text_column: str | None,
        vector_column: str | None,
        uri_column: str | None,
        sha256_column: str | None,
        op_column: str | None,
        event_time_column: str,
        event_time: int | None,
        **arguments: Any,
    ) -> Any:
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
        return function(**arguments, columns=columns)

    return with_columns
