"""Documents a second of the backfill on the consumer's corpus, by stage; both runs must be equal."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from batch.backfill import STAGES
from bench import corpus
from bench.report import Table
from shared.run import open_run

DOCUMENTS = 100_000


def run(documents: int = DOCUMENTS) -> Table:
    """publish, archive, backfill, consume, export, diff: each as a user starts it, with a file log."""
    with TemporaryDirectory(prefix="crossfade-bench-") as name:
        folder = Path(name)
        with (folder / "events.jsonl").open("wb") as file:
            file.writelines(value + b"\n" for _, value in corpus.events(documents))
        spec, topic, clusters = ("--spec", "text"), f"file:{folder / 'items'}", f"file:{folder / 'clusters'}"
        lake, state, batch, stream = (folder / part for part in ("lake", "state", "batch", "stream"))
        seconds: dict[str, float] = {}
        for command in (
            ("publish", folder / "events.jsonl", "--topic", topic),
            ("archive", "--topic", topic, "--lake", lake),
            ("backfill", *spec, "--input", lake, "--output", batch),
            ("consume", *spec, "--topic", topic, "--state", state, "--output", clusters, "--until-end"),
            ("export", "--state", state, "--output", stream, "--lake", lake),
            ("diff", batch, stream, "--json", folder / "diff.json"),
        ):
            seconds[str(command[0])] = crossfade(*command)
        verdict = json.loads((folder / "diff.json").read_bytes())["verdict"]
        assert verdict == "parity", verdict
        manifest = open_run(batch).manifest
    return _table(documents, manifest, seconds)


def _table(documents: int, manifest: dict[str, Any], seconds: dict[str, float]) -> Table:
    stages, counts, whole = manifest["seconds"], manifest["counts"], seconds["backfill"]
    rows = [("`crossfade backfill`, whole", whole)]
    rows += [(f"stage {name}", stages[name]) for name in ("spark", *[stage.name for stage in STAGES])]
    rows += [(f"`crossfade {name}`", spent) for name, spent in seconds.items() if name != "backfill"]
    return Table(
        "Backfill: documents a second",
        ["", "seconds", "documents/s"],
        [[name, f"{spent:,.1f}", f"{documents / max(spent, 1e-3):,.0f}"] for name, spent in rows],
        [
            f"{documents:,} texts of {corpus.WORDS} words, {corpus.EDITED:.0%} of them edits of earlier "
            f"ones; preset `text`, from a lake; Spark on {os.cpu_count()} local cores.",
            f"{counts['edges']:,} edges, {counts['clusters_of_several']:,} clusters of two or more. The "
            "stream's run of the same log is equal in every row (diff says parity, asserted).",
            "Commands are started as a user starts them, with a file log: the start of Python, and of Spark "
            "(stage spark), is in them.",
        ],
        {"documents": documents, "stages": stages, "commands": seconds, "verdict": "parity"},
    )


def crossfade(*arguments: object) -> float:
    """Run a command; its wall time. CalledProcessError where it fails, after its output."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()
    return time.perf_counter() - started
