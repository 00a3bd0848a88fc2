"""Options that several commands share."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stream.logs.settings import KafkaSettings, load_settings

__all__ = ["KafkaSettings", "kafka_options"]


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
