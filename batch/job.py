"""What every stage of a backfill is given, and the work folder that lets a killed one go on.

RUN/_work/<stage>/ holds a stage's tables and RUN/_work/<stage>.json says that it is complete: with
which contract and input, what it counted and how long it took.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from batch import tasks
from batch.tasks import Counts, Output, Task
from shared.contract import contract_id
from shared.durable import write_json
from shared.errors import ContractError, SourceError
from shared.run import MANIFEST, STAGES
from shared.shape import NUMBER, OBJECT, TEXT, Shape, parse_json, require
from shared.spec import Spec

WORK = "_work"
MOST_PARTITIONS = 4096
ROWS_WORTH_A_TASK = 1000  # fewer are done before a second task has started
DEAD_LETTERS = "dead_letters"
_MARKER: Shape = {"contract_id": TEXT, "input": TEXT, "counts": OBJECT, "seconds": NUMBER, "sha256": TEXT}
_REDO = "remove it, and the backfill does that stage and all after it again"


@dataclass(frozen=True)
class Settings:
    """What may differ between machines and never changes a result.

    partitions: of every shuffle; None = by size. decider: "driver", "joins" or None = the driver where
    edges and records fit into `driver_bytes`. Pairs are verified in a mapped index where that fits in.
    """

    partitions: int | None = None
    decider: str | None = None
    driver_bytes: int = 2**30


@dataclass
class Job:
    """One backfill. `counts`: what each complete stage counted."""

    spark: SparkSession
    spec: Spec
    run: Path
    input: Any
    settings: Settings = field(default_factory=Settings)
    counts: dict[str, Counts] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.contract_id = contract_id(self.spec)

    def work(self, *names: str) -> Path:
        return self.run.joinpath(WORK, *names)

    def read(self, *names: str) -> DataFrame:
        """A work table of a complete stage."""
        return self.spark.read.parquet(str(self.work(*names)))

    def write(self, rows: DataFrame, task: Task, **outputs: Output) -> list[Counts]:
        return tasks.run(rows, task, outputs, self.contract_id)

    def stage_output(self, name: str) -> Output:
        """The output of a stage of the run itself."""
        return Output(self.run / name, STAGES[name].schema)

    def partitions(
        self, rows: int, rows_each: int, worth: int = ROWS_WORTH_A_TASK, tasks_a_core: int = 1
    ) -> int:
        """How many partitions this many rows want, unless the settings say.

        As many as give `tasks_a_core`, as long as each has `worth` rows; more where there are more than
        `rows_each` in each.
        """
        if self.settings.partitions is not None:
            return self.settings.partitions
        cores: int = self.spark.sparkContext.defaultParallelism
        wanted = -(-rows // rows_each)
        return min(MOST_PARTITIONS, max(1, wanted, min(tasks_a_core * cores, rows // worth)))


def open_work(run: Path, contract: str, identity: str, stages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The markers of the stages that are complete, in order; makes the folder where there is none.

    SourceError or ContractError where `run` holds anything but an unfinished backfill of this input
    and contract.
    """
    work = run / WORK
    if (run / MANIFEST).exists():
        raise SourceError(f"{run} is a finished run; choose another --output, or remove it first.")
    if not work.is_dir():
        if run.exists() and (not run.is_dir() or any(run.iterdir())):
            raise SourceError(
                f"{run} exists and is no backfill's; choose another --output, or empty it first."
            )
        work.mkdir(parents=True)
    done: dict[str, dict[str, Any]] = {}
    for stage in stages:
        file = work / f"{stage}.json"
        if not file.exists():
            break
        marker = parse_json(file.read_bytes(), str(file), _REDO)
        require(marker, _MARKER, str(file), _REDO)
        if marker.pop("sha256") != _sha256(marker):
            raise SourceError(f"{file} is not as it was written; {_REDO}")
        advice = f"finish that one with its own command, or remove {run}"
        if marker["contract_id"] != contract:
            raise ContractError(
                f"{run} holds an unfinished backfill with contract {marker['contract_id']}, and this spec "
                f"has {contract}; {advice}."
            )
        if marker["input"] != identity:
            raise SourceError(
                f"{run} holds an unfinished backfill of another input, or it changed since; {advice}."
            )
        done[stage] = marker
    return done


def clear_stage(run: Path, stage: str, folders: Sequence[str]) -> None:
    """Remove what an interrupted attempt at a stage left. folders: of the run itself."""
    shutil.rmtree(run / WORK / stage, ignore_errors=True)
    for name in folders:
        shutil.rmtree(run / name, ignore_errors=True)


def mark(run: Path, stage: str, contract: str, identity: str, counts: Counts, seconds: float) -> None:
    marker = {"contract_id": contract, "input": identity, "counts": counts, "seconds": seconds}
    write_json(run / WORK / f"{stage}.json", marker | {"sha256": _sha256(marker)})


def _sha256(marker: dict[str, Any]) -> str:
    """So that whatever reads the counts finds in them what the stage has counted."""
    return hashlib.sha256(json.dumps(marker, sort_keys=True).encode()).hexdigest()


def add_up(counts: Sequence[Counts]) -> Counts:
    """Sums by name; of nested counts too."""
    total: Counts = {}
    for entry in counts:
        for name, value in entry.items():
            if isinstance(value, dict):
                total[name] = add_up([total.get(name, {}), value])
            else:
                total[name] = total.get(name, 0) + value
    return total
