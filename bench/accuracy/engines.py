"""The events through a real broker, Spark, and the consumer with RocksDB, as commands that a user types."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from shared.contract import contract_id
from shared.durable import write_json
from shared.errors import CrossfadeError, SourceError
from shared.run import Run, open_run
from shared.spec import Spec, load
from stream import broker
from stream.scratch import make_anew

LOG_COMMANDS = ("publish", "archive")  # done once for all presets
COMMANDS = (*LOG_COMMANDS, "backfill", "consume", "export", "diff")
_MARKER = ".crossfade-accuracy"


@dataclass(frozen=True)
class Runs:
    """Of one preset. verdict: what `diff` said of the two runs. seconds: wall time of each command."""

    spec: Spec
    batch: Run
    stream: Run
    verdict: str
    seconds: dict[str, float]


def run_both(specs: list[str], events: Path, folder: Path) -> list[Runs]:
    """Both engines over a log of these events, once for each preset; `folder` is emptied first."""
    make_anew(folder, _MARKER, "this benchmark")
    topic, lake = "items", folder / "lake"
    server = broker.start(folder / "broker")
    servers = ("--bootstrap-servers", server.bootstrap_servers)
    try:
        log = {
            "publish": _crossfade("publish", events, "--topic", topic, *servers),
            "archive": _crossfade("archive", "--topic", topic, "--lake", lake, *servers),
        }
        for number, name in enumerate(specs):
            spec, at = ("--spec", name), folder / f"{number}"
            state, batch, stream = at / "state", at / "batch", at / "stream"
            output = ("--output", f"clusters-{number}", "--until-fence", lake)
            fence = ("--fence", lake, "--lake", lake)
            seconds = log | {
                "backfill": _crossfade("backfill", *spec, "--input", lake, "--output", batch),
                "consume": _crossfade(
                    "consume", *spec, "--topic", topic, "--state", state, *output, *servers
                ),
                "export": _crossfade("export", "--state", state, "--output", stream, *fence),
                "diff": _crossfade(
                    "diff", batch, stream, "--verify", "--json", at / "diff.json", statuses=(0, 1)
                ),
            }
            write_json(at / "seconds.json", seconds)
            shutil.rmtree(state)
    finally:
        broker.stop(folder / "broker")
    return open_both(specs, folder)


def open_both(specs: list[str], folder: Path) -> list[Runs]:
    """The runs that `run_both` left. SourceError where they are not of these presets as they are now."""
    found = []
    for number, name in enumerate(specs):
        spec, at = load(name), folder / f"{number}"
        batch, stream = open_run(at / "batch"), open_run(at / "stream")
        if {batch.contract_id, stream.contract_id} != {contract_id(spec)}:
            raise SourceError(
                f"{at} holds runs of contract {batch.contract_id}, and {name} is {contract_id(spec)}; "
                "run the engines again (without --score-only)"
            )
        verdict = json.loads((at / "diff.json").read_bytes())["verdict"]
        seconds = json.loads((at / "seconds.json").read_bytes())
        found.append(Runs(spec, batch, stream, verdict, seconds))
    return found


def _crossfade(*arguments: object, statuses: tuple[int, ...] = (0,)) -> float:
    """Run a command; its wall time. CrossfadeError where it ends with another status."""
    words = [str(argument) for argument in arguments]
    print(f"$ crossfade {' '.join(words)}", file=sys.stderr, flush=True)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in statuses:
        raise CrossfadeError(
            f"crossfade {words[0]} ended with status {done.returncode}; its errors stand above\n{done.stdout}"
        )
    return time.perf_counter() - started
