"""What of two runs connects ids with each other: edges, and buckets. Read only for ids that differ."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parity.rows import parts
from shared import digests, lsh
from shared.run import EDGES, SIGNATURES, Run
from shared.spec import from_dict

MOST_IDS = 20_000  # whose buckets are looked at: about 100 bytes a band each
Edge = tuple[str, ...]  # (later, earlier)
Bucket = tuple[str, int, int]  # channel, band, value


@dataclass(frozen=True)
class Evidence:
    """Of the two runs of a diff."""

    a: Run
    b: Run

    def earlier_neighbours(self, ids: Iterable[str]) -> Mapping[str, set[str]]:
        """id -> the earlier items it has an edge with, in either run."""
        found: dict[str, set[str]] = defaultdict(set)
        for table in self._read(EDGES.name, EDGES.shard_by, ids, ["earlier", "later"]):
            for row in table.to_pylist():
                found[row["later"]].add(row["earlier"])
        return found

    def sharing_a_bucket(self, edges: Collection[Edge], ids: Collection[str]) -> dict[Edge, list[str]]:
        """edge -> those of `ids` that are in a bucket with both of its ends, so that draws may have shifted.

        Nothing where too many ids would have to be looked at.
        """
        wanted = {*ids, *(end for edge in edges for end in edge)}
        if not edges or not ids or len(wanted) > MOST_IDS:
            return {}
        buckets = self._buckets(wanted)
        within: dict[Bucket, list[str]] = defaultdict(list)
        for item in sorted(ids):
            for bucket in buckets[item]:
                within[bucket].append(item)
        return {
            edge: [item for bucket in buckets[edge[0]] & buckets[edge[1]] for item in within.get(bucket, ())]
            for edge in edges
        }

    def _buckets(self, ids: Iterable[str]) -> dict[str, set[Bucket]]:
        channels = {channel.name: channel for channel in from_dict(self.a.manifest["spec"]).channels}
        found: dict[str, set[Bucket]] = defaultdict(set)
        for table in self._read(SIGNATURES.name, SIGNATURES.shard_by, ids, None):
            for row in table.to_pylist():
                channel = channels.get(row["channel"])
                if channel is None or len(row["signature"]) != 4 * channel.minhash.permutations:
                    continue  # a damaged row, which is a difference of its own
                signature = np.frombuffer(row["signature"], "<u4").reshape(1, -1)
                values = lsh.buckets(signature, channel.bands)[0].tolist()
                found[row["id"]].update((channel.name, band, value) for band, value in enumerate(values))
        return found

    def _read(self, stage: str, by: str, ids: Iterable[str], columns: list[str] | None) -> Iterator[pa.Table]:
        """The rows of these ids in both runs, a bounded part at a time."""
        wanted = pa.array(sorted(ids), pa.string())
        shards = sorted({int(shard) for shard in digests.shards(wanted)})
        for part in parts(self.a, self.b, stage, shards):
            for run in (self.a, self.b):
                rows = run.read(stage, part, columns)
                yield rows.filter(pc.is_in(rows.column(by), wanted))
