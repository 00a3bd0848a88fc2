"""Faults in the batch: a column cast, a join or a sort of Spark's that is not what it should be.

The functions of shared/ run in Spark's workers and are the stream's too; what is the batch's own is how
rows are moved to them. So these change a plan on the driver. Each costs a backfill: seconds, not one.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame

from batch.backfill import backfill
from batch.inputs import open_input
from batch.job import Job, Settings
from batch.session import start
from parity.faults import Fault
from shared.source_events import ColumnOptions
from shared.spec import Spec

Change = Callable[[Any], Any]  # of a DataFrame
Patch = Callable[[], AbstractContextManager[Any]]


def run_backfill(spec: Spec, lake: Path, output: Path) -> None:
    backfill(start, spec, open_input([lake], ColumnOptions()), output, Settings(3, "driver"))


def _reading(
    *names: str,
) -> Callable[[Change], Patch]:
    """What a stage reads from a work table is changed."""

    def patch(change: Change) -> Patch:
        original = Job.read

        def read(self: Job, *asked: str) -> DataFrame:
            rows = original(self, *asked)
            return change(rows) if asked == names else rows

        return lambda: mock.patch.object(Job, "read", read)

    return patch


def _mapped(change: Change) -> Patch:
    """The bucket entries, after they were computed and before they are shuffled."""
    original = DataFrame.repartition

    def repartition(self: DataFrame, *arguments: Any) -> DataFrame:
        return original(change(self) if arguments[1:] == ("slot", "bucket") else self, *arguments)

    return lambda: mock.patch.object(DataFrame, "repartition", repartition)


def _through(column: str, kind: str) -> Change:
    """A column is cast to another type and back."""
    return lambda rows: rows.withColumn(column, F.col(column).cast(kind).cast("long"))


def _spark(name: str, stage: str, kind: str, patch: Patch) -> Fault:
    return Fault(name, "spark", stage, kind, patch, roots=None)


SPARK_FAULTS: Sequence[Fault] = (
    _spark(
        "Spark: the event time is cast to float",
        "event",
        "wrong",
        _reading("events", "events")(_through("event_time", "float")),
    ),
    _spark(
        "Spark: any one event of an id is taken",
        "event",
        "wrong",
        _reading("events", "events")(lambda rows: rows.dropDuplicates(["id"])),
    ),
    _spark(
        "Spark: the bucket column is cast to double", "bucket", "wrong", _mapped(_through("bucket", "double"))
    ),
    _spark(
        "Spark: bucket entries of one slot are filtered out",
        "bucket",
        "wrong",
        _mapped(lambda rows: rows.where("slot <> 3")),
    ),
    _spark(
        "Spark: the trace column is cast to double",
        "bucket",
        "wrong",
        _reading("pairs", "entries")(_through("trace", "double")),
    ),
    _spark(
        "Spark: drawn pairs are lost in the shuffle",
        "candidate",
        "wrong",
        _reading("pairs", "pairs")(lambda rows: rows.where("pmod(later + earlier, 13) <> 0")),
    ),
    _spark(
        "Spark: edges are lost before they are written",
        "match",
        "extra",
        _reading("verified", "edges")(lambda rows: rows.where("pmod(xxhash64(later, earlier), 17) <> 0")),
    ),
    _spark(
        "Spark: some edges are written twice",
        "match",
        "wrong",
        _reading("verified", "edges")(lambda rows: rows.union(rows.where("pmod(xxhash64(later), 19) = 0"))),
    ),
)
