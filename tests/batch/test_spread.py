"""A diff whose rows Spark's workers read: the same answer, and the same refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from batch.spread import spread_over
from parity.diff import Options, diff
from parity.document import document
from parity.forge import edit_rows
from shared.errors import SourceError
from shared.run import open_run
from tests import runs
from tests.histories import random_history
from tests.test_diff_histories import rows_of

pytestmark = pytest.mark.spark


def test_spark_gives_the_same_answer(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.rows.ROWS_AT_ONCE", 10)  # many tasks
    history = random_history(53)
    less = replace(history, records=history.records[:5] + history.records[25:])
    a, b = (open_run(runs.write(tmp_path / n, *rows_of(h))) for n, h in (("a", history), ("b", less)))
    here = diff(a, b, Options(verify=True))
    assert here.total and document(diff(a, b, Options(verify=True, spread=spread_over(spark)))) == document(
        here
    )
    assert diff(a, a, Options(spread=spread_over(spark))).parity


def test_a_refusal_in_a_worker_is_one_here(spark: SparkSession, tmp_path: Path) -> None:
    for name in "ab":
        runs.write(tmp_path / name, runs.sample())
    edit_rows(tmp_path / "b", "edges", lambda rows: rows[0].update(numerator=1))
    file = tmp_path / "b" / "edges" / "part-0.parquet"
    data = bytearray(file.read_bytes())
    data[40] ^= 255
    file.write_bytes(data)
    with pytest.raises(SourceError, match=r"b: the rows of edges cannot be read|does not have the"):
        diff(
            open_run(tmp_path / "a"),
            open_run(tmp_path / "b"),
            Options(spread=spread_over(spark), verify=True),
        )
