"""Which partition a row goes to, where files are in (shard, id) order."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shared import digests


def by_shard(rows: DataFrame, files: int, item: str, *then: str) -> DataFrame:
    """Partition i of `files` gets the i-th range of column `shard`, sorted by (shard, item, then...).

    Where there are more files than shards, a shard is spread by another hash of the column `item`;
    rows with one item always share a partition.
    """
    fraction = (F.col("shard") + F.pmod(F.xxhash64(item), F.lit(65536)) / 65536) / digests.SHARDS
    rows = rows.repartitionById(files, F.floor(fraction * files).cast("int"))
    return rows.sortWithinPartitions("shard", item, *then)
