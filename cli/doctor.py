"""`crossfade doctor`: what is installed, what is missing, what to do."""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click
import orjson

from parity.show import console, table
from shared.errors import CrossfadeError
from stream.kafka_jars import KAFKA_VERSION, cache_folder, java_command
from stream.logs.settings import DEFAULT_SERVERS, load_settings

_LIBRARIES = {  # distribution -> what is imported of it
    "pyspark": "pyspark.sql",
    "rocksdict": "rocksdict",
    "kafka-python": "kafka",
    "numba": "numba",
    "pyarrow": "pyarrow",
    "datasketch": "datasketch",
    "pdqhash": "pdqhash",
    "pillow": "PIL.Image",
}
_FREE_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Check:
    """One line: found is a version or place; `advice` says what to do where it is not ok."""

    name: str
    needed: bool
    ok: bool
    found: str
    advice: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """Check this machine. Exit status 0 if all that is needed is there, else 2."""
    checks = list(_checks())
    missing = [check for check in checks if check.needed and not check.ok]
    if as_json:
        report = {"ok": not missing, "checks": [asdict(check) for check in checks]}
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        return 2 if missing else 0
    out = console()
    rows = [(c.name, "ok" if c.ok else "missing" if c.needed else "no", c.found) for c in checks]
    out.print(table("crossfade doctor", ["what", "", "found"], rows))
    out.print()
    for check in checks:
        if not check.ok:
            out.print(f"{check.name}: {check.advice}")
    out.print("All that is needed is there." if not missing else f"{len(missing)} needed things are missing.")
    return 2 if missing else 0


def _checks() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check(
        "Python", True, sys.version_info[:2] == (3, 11), version, "install Python 3.11 and run make again"
    )
    yield _java()
    for name, module in _LIBRARIES.items():
        yield _library(name, module)
    yield from _folders()
    jars = cache_folder() / f"kafka-{KAFKA_VERSION}"
    yield Check(
        f"Kafka {KAFKA_VERSION} jars",
        False,
        jars.is_dir(),
        str(jars) if jars.is_dir() else "none",
        "crossfade broker start fetches them with Maven; file:DIR topics need none",
    )
    maven = shutil.which("mvn")
    advice = "install Maven (mvn), which fetches the local broker's jars; file:DIR topics need none"
    yield Check("Maven", False, bool(maven), maven or "none", advice)
    yield from _broker()


def _java() -> Check:
    advice = "install Java 17 or 21 (a JDK or JRE) for Spark and the local broker, or set JAVA_HOME"
    try:
        done = subprocess.run(
            [java_command(), "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (CrossfadeError, OSError, subprocess.SubprocessError) as error:
        return Check("Java", True, False, str(error), advice)
    version = re.search(r'version "(\d+)[^"]*"', done.stderr)
    if not version:
        return Check("Java", True, False, "a java that does not tell its version", advice)
    return Check("Java", True, int(version[1]) >= 17, version[0].removeprefix("version "), advice)


def _library(name: str, module: str) -> Check:
    advice = f"pip install {name}, or run make, which installs all that is needed"
    try:
        importlib.import_module(module)
        return Check(name, True, True, metadata.version(name))
    except Exception as error:  # a broken native library may raise anything; this command is there to tell
        return Check(name, True, False, f"{type(error).__name__}: {error}", advice)


def _folders() -> Iterator[Check]:
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    advice = f"make {cache} writable, or set CROSSFADE_CACHE to a folder that is"
    yield Check("cache folder", True, os.access(existing, os.W_OK), str(cache), advice)
    for folder in dict.fromkeys((Path.cwd(), existing)):
        free = shutil.disk_usage(folder).free
        found = f"{free / 2**30:.1f} GiB free in {folder}"
        yield Check("disk space", True, free >= _FREE_BYTES, found, f"free at least 2 GiB in {folder}")


def _broker() -> Iterator[Check]:
    """Only where an address was configured."""
    try:
        servers = load_settings(None, None, os.environ).bootstrap_servers
    except CrossfadeError as error:
        yield Check("Kafka settings", True, False, str(error), "mend crossfade.toml or the environment")
        return
    if servers == DEFAULT_SERVERS and "CROSSFADE_BOOTSTRAP_SERVERS" not in os.environ:
        return
    reached = [server for server in servers.split(",") if _reachable(server)]
    advice = f"start the broker (crossfade broker start) or mend the address {servers}"
    yield Check(
        "Kafka broker", True, bool(reached), ", ".join(reached) or f"no answer from {servers}", advice
    )


def _reachable(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
        return True
    except (OSError, ValueError):
        return False
