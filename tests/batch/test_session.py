"""What Spark's workers are given, wherever they run."""

import os

import pytest
from pyspark.sql import SparkSession


@pytest.mark.spark
@pytest.mark.skipif("CROSSFADE_URI_SCHEMES" in os.environ, reason="workers here inherit it")
def test_workers_are_told_which_uris_are_read(spark: SparkSession) -> None:
    told = spark.sparkContext.parallelize([0], 1).map(lambda _: os.environ.get("CROSSFADE_URI_SCHEMES"))
    assert told.collect() == ["file"]
