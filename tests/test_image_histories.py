"""The product, for pictures: whatever the history, its order and its engine, the answer is the oracle's."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from shared.extractors import sift
from tests.batch.running import make_lake, read_run, run_backfill
from tests.engines import spec_of, stream_through
from tests.histories import arrival_orders
from tests.image_histories import Payload, image_history, write_pictures
from tests.images import Pixels
from tests.oracle import expect
from tests.test_engines import ENGINES, Open, judge

QUICK = (13, 19, 31, 33, 49)  # chosen so that all happens that the last test asks for
DEEP = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(100, 160)]


@pytest.fixture(scope="module")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> list[list[Payload]]:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def each_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIFT sees a picture once for all orders: a history repeats few pictures often."""
    detect = sift.detect

    @lru_cache(maxsize=1000)
    def cached(data: bytes, shape: tuple[int, ...], side: int, count: int) -> sift.LocalFeatures:
        return detect(np.frombuffer(data, np.uint8).reshape(shape), side, count)

    def detect_once(picture: Pixels, side: int, count: int) -> sift.LocalFeatures:
        return cached(picture.tobytes(), picture.shape, side, count)

    monkeypatch.setattr(sift, "detect", detect_once)


@ENGINES
@pytest.mark.usefixtures("each_picture_once")
@pytest.mark.parametrize("seed", [*QUICK, *DEEP])
def test_seeded_histories_of_pictures(engine: Open, seed: int, payloads: list[list[Payload]]) -> None:
    history = image_history(seed, payloads)
    expected = expect(history.spec, history.records)
    for order in arrival_orders(history, seed, count=1):
        with engine() as store:
            judge(expected, stream_through(store, spec_of(history.spec), order))


@pytest.mark.spark
@pytest.mark.parametrize("seed", [31, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6))])
def test_spark_says_what_the_oracle_says(
    seed: int, payloads: list[list[Payload]], spark: SparkSession, tmp_path: Path
) -> None:
    history = image_history(seed, payloads)
    lake = make_lake(tmp_path / "lake", history.records)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    run = run_backfill(spark, history.spec, lake, tmp_path / "run")
    judge(expect(history.spec, history.records), read_run(run))


def test_the_histories_are_rich_enough(payloads: list[list[Payload]]) -> None:
    """What an engine may get wrong with pictures happens in the quick seeds."""
    seen: Counter[str] = Counter()
    for seed in QUICK:
        history = image_history(seed, payloads)
        expected = expect(history.spec, history.records)
        seen.update(item["status"] for item in expected.items.values())
        seen.update(f"edge by {edge[0]}" for edge in expected.edges.values())
        seen.update(f"rule {channel['match']['rule']}" for channel in history.spec["channels"])
        seen.update(f"mirror {channel['parameters'].get('mirror')}" for channel in history.spec["channels"])
        seen["left out"] += bool(expected.left_out)
        seen["clusters " + history.spec["clusters"]["rule"]] += 1
        sizes = Counter(head for head, *_ in expected.clusters.values())
        seen["clusters of four"] += sum(size > 3 for size in sizes.values())
        seen["head by head check"] += sum(
            c[1] != "" and (c[0], x) not in expected.edges for x, c in expected.clusters.items()
        )
    statuses = ("payload_invalid", "payload_too_large", "payload_changed", "uri_not_found")
    statuses += ("image_invalid", "image_too_large", "no_features", "deleted", "ok")
    wanted = [*statuses, *(f"edge by {name}" for name in ("pdq", "words", "pairs"))]
    wanted += [f"rule {name}" for name in ("hamming", "inliers", "jaccard", "agreement")]
    wanted += ["mirror True", "mirror False", "left out", "clusters heads", "clusters components"]
    wanted += ["clusters of four", "head by head check"]
    assert [what for what in wanted if not seen[what]] == [], seen
