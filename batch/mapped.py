"""The features of all indexed items in one file that every worker maps into its memory.

A picture's features are kilobytes and it is drawn into hundreds of pairs, so a join would move a thousand
times what the index holds. Where the index fits into the driver, which writes the file, pairs are verified
by row numbers into it. Its twin for any size is the join in batch/verified.py.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from batch.job import Job
from shared.similarity import ChannelFeatures

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mapped:
    """n items in the order of their ranks (int64[n]); ids: their strings; features: one a channel."""

    ranks: Int64s
    ids: pa.Array
    features: tuple[ChannelFeatures, ...]

    def rows(self, ranks: Int64s) -> Int64s:
        """int64[n]: the rows of items that are there."""
        return np.asarray(np.searchsorted(self.ranks, ranks), np.int64)


def fits(job: Job) -> bool:
    return bool(job.counts["features"]["index_bytes"] <= job.settings.driver_bytes)


def write_mapped(job: Job, file: Path) -> None:
    """Write the index as one Arrow batch, in the order of the ranks."""
    table = by_rank(pq.read_table(job.work("features", "index")))
    file.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def open_mapped(file: Path, channels: int) -> Mapped:
    """Nothing is read but what is looked at; the pages are one for all workers of a machine."""
    table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
    return Mapped(table.column("rank").to_numpy(), _whole(table, "id"), channel_features(table, channels))


def by_rank(index: pa.Table) -> pa.Table:
    """Rows of the index in the order of their ranks, each column in one piece."""
    # Offsets of 32 bits end at 2 GiB a column.
    wide = [pa.field(f.name, pa.large_binary() if f.type == pa.binary() else f.type) for f in index.schema]
    index = index.cast(pa.schema(wide)).combine_chunks()
    return index.take(pa.array(np.argsort(index.column("rank").to_numpy()))).combine_chunks()


def channel_features(index: pa.Table, channels: int) -> tuple[ChannelFeatures, ...]:
    """Of rows that `by_rank` gave, each of so many channels."""
    return tuple(ChannelFeatures(_whole(index, f"s{c}"), _whole(index, f"r{c}")) for c in range(channels))


def _whole(index: pa.Table, name: str) -> pa.Array:
    chunks = index.column(name).chunks
    return chunks[0] if chunks else pa.array([], index.schema.field(name).type)
