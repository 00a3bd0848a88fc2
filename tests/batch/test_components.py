"""Connected components: union-find and Spark's stars against the plain definition."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from batch.components import stars, union_find
from batch.job import Job
from shared.spec import load

Pairs = list[tuple[int, int]]  # (later, earlier)


def least_reachable(nodes: int, pairs: Pairs) -> list[int]:
    label = list(range(nodes))
    for _ in range(nodes):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(
    st.integers(2, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_union_find(case: tuple[int, Pairs]) -> None:
    nodes, pairs = case
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    assert union_find(nodes, ends[:, 0], ends[:, 1]).tolist() == least_reachable(nodes, pairs)


@pytest.mark.spark
def test_stars_of_long_paths_and_tangles(spark: SparkSession, tmp_path: Path) -> None:
    """Paths of 100, where labels that only walk would take 100 rounds, and a random graph."""
    rng = random.Random(1)
    shuffled = rng.sample(range(100, 200), 100)
    pairs = [(i + 1, i) for i in range(99)]
    pairs += [(max(a, b), min(a, b)) for a, b in itertools.pairwise(shuffled)]
    for _ in range(60):
        a, b = rng.sample(range(200, 300), 2)
        pairs.append((max(a, b), min(a, b)))
    job = Job(spark, load("text"), tmp_path, None)
    spark.conf.set("spark.sql.shuffle.partitions", 3)
    links, counts = stars(job, spark.createDataFrame(pairs, "later long, earlier long"))
    found = {row["item"]: row["head"] for row in links.collect()}
    expected = least_reachable(300, pairs)
    assert found == {item: head for item, head in enumerate(expected) if item != head}
    assert counts["rounds"] <= 12
