"""How a stage runs its Python: over Arrow batches in Spark's workers, which write their own Parquet.

A task gets the batches of one partition and `Outputs` to write tables to, and returns counts. Spark
carries only a line a task back: the files it wrote and its counts. Files of attempts that Spark gave up
are not in any line, and are removed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import RDD, TaskContext
from pyspark.sql import DataFrame, SparkSession

from shared import errors
from shared.errors import CrossfadeError
from shared.stage_writer import StageWriter

Batches = Iterator[pa.RecordBatch]
Counts = dict[str, Any]

_FAILURE = "crossfade task failed: "


@dataclass(frozen=True)
class Output:
    """Where one kind of rows goes: a folder of files part-00000.parquet, one a partition that has rows."""

    folder: Path
    schema: pa.Schema


class Outputs:
    """The files of one task, by the name of the output; only those that get rows are made."""

    def __init__(self, outputs: Mapping[str, Output], partition: int, attempt: str, contract_id: str) -> None:
        self.partition = partition
        self._outputs, self._contract_id = outputs, contract_id
        self._file = f"attempt-{attempt}.parquet"
        self._writers: dict[str, StageWriter] = {}

    def write(self, name: str, table: pa.Table) -> None:
        if table.num_rows:
            if name not in self._writers:
                output = self._outputs[name]
                self._writers[name] = StageWriter(
                    output.folder / self._file, output.schema, self._contract_id
                )
            self._writers[name].write(table)

    def close(self) -> dict[str, str]:
        """{output: file name}"""
        for writer in self._writers.values():
            writer.close()
        return {name: writer.file.name for name, writer in self._writers.items()}


Task = Callable[[Batches, Outputs], Counts]


def run(rows: DataFrame, task: Task, outputs: Mapping[str, Output], contract_id: str) -> list[Counts]:
    """Run `task` on each partition; the counts of each, in the partitions' order.

    Raises the CrossfadeError that a task raised.
    """
    for output in outputs.values():
        output.folder.mkdir(parents=True, exist_ok=True)
    application = rows.sparkSession.sparkContext.applicationId

    def body(batches: Batches) -> Batches:
        context = TaskContext.get()
        assert context is not None
        # Unlike that of any attempt of a killed backfill, which may be dying still.
        attempt = f"{application}-{context.taskAttemptId()}"
        files = Outputs(outputs, context.partitionId(), attempt, contract_id)
        with failures_named():
            counts = task(batches, files)
            for _ in batches:  # Spark ends a worker that leaves input unread, and the next one starts cold
                pass
            line = {"partition": files.partition, "files": files.close(), "counts": counts}
            yield pa.record_batch({"line": pa.array([orjson.dumps(line)], pa.binary())})

    collected = collect(rows.mapInArrow(body, "line binary"))
    lines = sorted((orjson.loads(row["line"]) for row in collected), key=lambda line: int(line["partition"]))
    for name, output in outputs.items():
        kept = {line["files"][name]: line["partition"] for line in lines if name in line["files"]}
        for file in output.folder.glob("attempt-*"):
            if file.name in kept:
                file.rename(part_file(output.folder, kept[file.name]))
            else:
                file.unlink()
        if not kept:  # a table without rows is still a table
            StageWriter(part_file(output.folder, 0), output.schema, contract_id).close()
    return [line["counts"] for line in lines]


def part_file(folder: Path, partition: int) -> Path:
    return folder / f"part-{partition:05d}.parquet"


def numbered(spark: SparkSession, partitions: int) -> DataFrame:
    """`partitions` partitions with no more in them than a row each: for tasks that read their own file."""
    return spark.range(0, max(1, partitions), 1, max(1, partitions))


def read_part(
    folder: Path, partition: int, batch_rows: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """A part file's rows in order, in batches of at most `batch_rows`; none if there is no such file."""
    file = part_file(folder, partition)
    if file.exists():
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(batch_rows, columns=columns)


def collect(rows: DataFrame | RDD[Any]) -> list[Any]:
    """rows.collect(), with a worker's CrossfadeError raised here as itself."""
    try:
        return list(rows.collect())
    except Exception as error:
        if found := re.search(re.escape(_FAILURE) + r"(\{.*\})", str(error)):
            failure = orjson.loads(found[1])
            raise getattr(errors, failure["kind"], CrossfadeError)(failure["message"]) from None
        raise


@contextmanager
def failures_named() -> Iterator[None]:
    """In a worker: raise a CrossfadeError so that `collect` can raise it again on the driver."""
    try:
        yield
    except CrossfadeError as error:
        line = orjson.dumps({"kind": type(error).__name__, "message": str(error)}).decode()
        raise RuntimeError(_FAILURE + line) from error
