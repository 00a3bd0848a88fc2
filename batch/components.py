"""Connected components with the earliest member as head: union-find on the driver, stars in Spark."""

import numpy as np
import numpy.typing as npt
from numba import njit
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch.job import Job
from batch.tasks import Counts

Int64s = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def union_find(nodes: int, a: Int64s, b: Int64s) -> Int64s:
    """int64[nodes]: the least node of each node's component; edges (a[i], b[i])."""
    parent = np.arange(nodes)
    for i in range(len(a)):
        x, y = a[i], b[i]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        parent[max(x, y)] = min(x, y)
    for x in range(nodes):  # parents are less than their children, so they are final before them
        parent[x] = parent[parent[x]]
    return parent


def stars(job: Job, edges: DataFrame) -> tuple[DataFrame, Counts]:
    """(item, head) of every item but heads; edges: columns later, earlier. counts: rounds.

    Source: Kiveris et al., Connected Components in MapReduce and Beyond (SoCC 2014), alternating
    large-star and small-star; each round is written, which cuts the lineage.
    """
    links = edges.select(F.col("later").alias("item"), F.col("earlier").alias("head"))
    rounds, before = 0, None
    while True:
        links = _small_star(_large_star(links))
        path = str(job.work("clusters", f"stars-{rounds}"))
        links.write.mode("overwrite").parquet(path)
        links = job.spark.read.parquet(path)
        rounds += 1
        # Neither operation can leave a forest of stars as it is unless the forest is done.
        state = links.agg(F.count("*"), F.sum(F.xxhash64("item", "head").cast("decimal(38)"))).first()
        if state == before:
            return links, {"rounds": rounds}
        before = state


def _large_star(links: DataFrame) -> DataFrame:
    """Every neighbour that is later than a node is linked to the least of the node and its neighbours."""
    both = links.unionByName(links.select(F.col("head").alias("item"), F.col("item").alias("head")))
    least = both.groupBy("item").agg(F.least(F.col("item"), F.min("head")).alias("least"))
    later = both.where("head > item").join(least, "item")
    return later.select(F.col("head").alias("item"), F.col("least").alias("head")).distinct()


def _small_star(links: DataFrame) -> DataFrame:
    """A node and its earlier neighbours are linked to the least of them."""
    least = links.groupBy("item").agg(F.min("head").alias("least"))
    joined = links.join(least, "item")
    moved = joined.where("head <> least").select(F.col("head").alias("item"), F.col("least").alias("head"))
    return moved.unionByName(least.select("item", F.col("least").alias("head"))).distinct()
