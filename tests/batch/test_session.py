"""What Spark's workers are given, wherever they run; and what is known of their work."""

import os
import threading
import time

import pytest
from pyspark.sql import SparkSession

from batch.session import running_tasks


@pytest.mark.spark
@pytest.mark.skipif("CROSSFADE_URI_SCHEMES" in os.environ, reason="workers here inherit it")
def test_workers_are_told_which_uris_are_read(spark: SparkSession) -> None:
    told = spark.sparkContext.parallelize([0], 1).map(lambda _: os.environ.get("CROSSFADE_URI_SCHEMES"))
    assert told.collect() == ["file"]


@pytest.mark.spark
def test_tasks_are_counted_while_they_run(spark: SparkSession) -> None:
    def work() -> None:
        spark.sparkContext.parallelize(range(8), 8).foreach(lambda _: time.sleep(0.3))

    assert running_tasks(spark) == (0, 0)
    worker = threading.Thread(target=work)
    worker.start()
    seen = set()
    while worker.is_alive():
        seen.add(running_tasks(spark))
        time.sleep(0.02)
    assert {tasks for _, tasks in seen} <= {0, 8} and len({done for done, _ in seen}) > 2
    worker.join()
    deadline = time.monotonic() + 10
    while running_tasks(spark) != (0, 0):
        assert time.monotonic() < deadline
