"""The backfill: a lake or files in, a run out. Every stage is a function of the job and what came before.

What decides anything is a function of shared/, run over Arrow batches in Spark's workers; Spark itself
only sorts, joins and shuffles. A killed backfill, run again, goes on after its last complete stage.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from batch import digesting, features, job, verified
from batch.clusters import clusters
from batch.events import events
from batch.features import features as sketch_features
from batch.inputs import Input
from batch.job import DEAD_LETTERS, WORK, Job, Settings
from batch.pairs import pairs
from batch.ranks import ranks
from batch.tasks import Counts
from batch.traces import traces
from batch.winners import winners
from shared import run
from shared.contract import contract_id
from shared.durable import locked
from shared.spec import Spec
from shared.versions import NEVER


@dataclass(frozen=True)
class Stage:
    """name, what it does, and the folders of the run that it writes."""

    name: str
    work: Callable[[Job], Counts]
    folders: tuple[str, ...] = ()


STAGES = (
    Stage("events", events, (DEAD_LETTERS,)),
    Stage("winners", winners),
    Stage("ranks", ranks),
    Stage("features", sketch_features, features.FOLDERS),
    Stage("pairs", pairs),
    Stage("verified", verified.verified),
    Stage("traces", traces, (run.BUCKETS.name, run.CANDIDATES.name)),
    Stage("edges", verified.edges, (run.EDGES.name,)),
    Stage("clusters", clusters, (run.CLUSTERS.name,)),
    Stage("digests", digesting.run_digests),
)

Progress = Callable[[str, Counts, float], None]


def backfill(
    start_spark: Callable[[], SparkSession],
    spec: Spec,
    source: Input,
    output: Path,
    settings: Settings | None = None,
    progress: Progress = lambda stage, counts, seconds: None,
    begun: Callable[[str], None] = lambda stage: None,
) -> run.Run:
    """Write the run `output`. `begun` is called before each stage that is done now, `progress` after it.

    Raises SourceError or ContractError where `output` holds something else, or the input is damaged;
    TransientError where payloads cannot be had now (run it again then).
    """
    contract = contract_id(spec)
    done = job.open_work(output, contract, source.identity, [stage.name for stage in STAGES])
    with locked(output / WORK / "lock", f"the run {output}", 0):
        started = time.monotonic()
        this = Job(start_spark(), spec, output, source, settings or Settings())
        this.seconds["spark"] = round(time.monotonic() - started, 3)
        for stage in STAGES:
            if stage.name in done:
                this.counts[stage.name] = done[stage.name]["counts"]
                this.seconds[stage.name] = done[stage.name]["seconds"]
                continue
            begun(stage.name)
            started = time.monotonic()
            job.clear_stage(output, stage.name, stage.folders)
            counts = this.counts[stage.name] = stage.work(this)
            seconds = this.seconds[stage.name] = round(time.monotonic() - started, 3)
            job.mark(output, stage.name, contract, source.identity, counts, seconds)
            progress(stage.name, counts, seconds)
        _finish(this)
    return run.open_run(output)


def _finish(this: Job) -> None:
    """Write the manifest, then remove the work folder: killed in between, the run is still whole."""
    digests = this.counts["digests"]
    stages = {
        name: run.stage_entry(this.run, stage, digesting.unpack(digests[name]))
        for name, stage in run.STAGES.items()
    }
    source = this.input.manifest()
    if "fence" not in source:
        source["event_set"] = this.counts["winners"]["event_set"]
    if this.counts["events"]["watermark"] != NEVER:
        source["watermark_ms"] = this.counts["events"]["watermark"]
    run.write_manifest(
        this.run,
        this.spec,
        "spark",
        run.library_versions("pyspark"),
        source,
        stages,
        summary(this.counts),
        this.seconds,
    )
    shutil.rmtree(this.run / WORK)


def summary(counts: dict[str, Counts]) -> dict[str, Any]:
    """The manifest's counts, by name."""
    seen, drawn, decided = counts["events"], counts["pairs"], counts["clusters"]
    return {
        "records": seen["records"],
        "events": seen["events"],
        "dead_letters": seen["dead_letters"],
        "items": counts["winners"]["winners"],
        "statuses": counts["features"]["status"],
        "buckets": drawn["buckets"],
        "pairs": counts["verified"]["pairs"],
        "left_out": drawn["left_out"],
        "hot_buckets": drawn["hot"],
        "edges": counts["verified"]["edges"],
        "decider": decided["decider"],
        "rounds": decided["rounds"],
        "head_checks": decided["head_checks"],
        "clusters_of_several": decided["clusters"],
        "members_of_several": decided["members"],
    }
