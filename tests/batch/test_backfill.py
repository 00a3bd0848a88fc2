"""Spark against the oracle: the same items, signatures, edges and clusters, however it is cut up."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from batch.job import Settings
from batch.tasks import Counts
from shared.run import Run
from tests.batch.running import all_digests, make_lake, read_run, run_backfill
from tests.histories import packed_histories, random_history, union
from tests.oracle import Expected, expect

pytestmark = pytest.mark.spark


def small_batches(spark: SparkSession, rows: int) -> None:
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))


# One to three channels, draws of 0 to 4, jaccard and agreement, limits on and off; 5 and 3: components.
@pytest.mark.parametrize("seed", [7, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 12, 3))])
def test_both_deciders_say_what_the_oracle_says(spark: SparkSession, tmp_path: Path, seed: int) -> None:
    spec, histories = packed_histories(seed, 60)
    history = union(histories)
    lake = make_lake(tmp_path / "lake", history.records)

    def keep_a_copy(stage: str, counts: Counts, seconds: float) -> None:
        if stage == "edges":
            shutil.copytree(tmp_path / "driver", tmp_path / "joins")

    small_batches(spark, 10_000)
    driver = run_backfill(spark, spec, lake, tmp_path / "driver", Settings(2, "driver"), keep_a_copy)
    judge(expect(spec, history.records), driver)
    small_batches(spark, 23)
    joins = run_backfill(spark, spec, lake, tmp_path / "joins", Settings(3, "joins"))
    assert joins.manifest["counts"]["decider"] == "joins"
    assert read_run(joins).clusters == read_run(driver).clusters
    assert all_digests(joins) == all_digests(driver)
    for count in ("clusters_of_several", "members_of_several"):
        assert joins.manifest["counts"][count] == driver.manifest["counts"][count]


def test_seven_partitions_and_small_batches_change_nothing(spark: SparkSession, tmp_path: Path) -> None:
    spec, histories = packed_histories(10, 40)
    history = union(histories)
    lake = make_lake(tmp_path / "lake", history.records)
    small_batches(spark, 7)
    everything_joined = Settings(7, driver_bytes=0)  # features move to their pairs, and nobody maps the index
    judge(expect(spec, history.records), run_backfill(spark, spec, lake, tmp_path / "run", everything_joined))


def test_events_past_the_retention_do_not_count(spark: SparkSession, tmp_path: Path) -> None:
    history = random_history(118)
    assert history.spec["times"] == {"max_skew_ms": 3, "max_lateness_ms": 0, "retention_ms": 40}
    expected = expect(history.spec, history.records)
    assert len(expected.items) == 10  # of 19 ids
    small_batches(spark, 10_000)
    lake = make_lake(tmp_path / "lake", history.records)
    judge(expected, run_backfill(spark, history.spec, lake, tmp_path / "run"))


def test_one_bucket_of_20_000_members(spark: SparkSession, tmp_path: Path) -> None:
    """Equal texts, two draws each: the edges are the naive draws, and there is one cluster."""
    count, first, near = 20_000, 2, 3
    values = (
        b'{"id": "%05d", "op": "upsert", "event_time": 1, "payload": {"text": "one and the same"}}' % i
        for i in range(count)
    )
    lake = make_lake(tmp_path / "lake", [(0, i, 1, value) for i, value in enumerate(values)])
    spec, _ = packed_histories(8, 1)
    spec["channels"] = [spec["channels"][0] | {"draws": {"first": first, "near": near}}]
    small_batches(spark, 500)
    run = run_backfill(spark, spec, lake, tmp_path / "run", Settings(2))
    found = {(int(row["later"]), int(row["earlier"])) for row in run.read("edges").to_pylist()}
    assert found == {
        (i, j) for i in range(count) for j in {*range(min(first, i)), *range(max(0, i - near), i)}
    }
    assert set(run.read("clusters").column("head").to_pylist()) == {"00000"}
    bands = spec["channels"][0]["bands"]["count"]
    assert run.manifest["counts"]["left_out"] == bands * (count * (count - 1) // 2 - len(found))
    assert [bucket["members"] for bucket in run.manifest["counts"]["hot_buckets"]] == [count] * bands


def judge(expected: Expected, run: Run) -> None:
    found = read_run(run)
    assert found.dead == expected.dead
    assert found.items == expected.items
    assert found.signatures == expected.signatures
    assert found.records == expected.records
    assert found.buckets == expected.buckets
    assert found.candidates == expected.candidates
    assert found.edges == expected.edges
    assert found.clusters == expected.clusters
    assert run.watermark == expected.watermark
    counts = run.manifest["counts"]
    assert counts["left_out"] == sum(expected.left_out.values())
    hot = {(b["channel"], b["band"], int(b["bucket"], 16)): b["left_out"] for b in counts["hot_buckets"]}
    assert all(expected.left_out[bucket] == out for bucket, out in hot.items())
    assert sorted(hot.values(), reverse=True) == sorted(expected.left_out.values(), reverse=True)[:20]
    heads = {head for item, (head, *_) in expected.clusters.items() if head != item}
    assert counts["clusters_of_several"] == len(heads)
    assert counts["members_of_several"] == sum(head in heads for head, *_ in expected.clusters.values())
    assert counts["records"] == counts["events"] + sum(counts["dead_letters"].values())
