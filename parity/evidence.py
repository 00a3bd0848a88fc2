"""What of two runs connects ids with each other: edges, and buckets. Read only for ids that differ."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.decisions import do_not_follow
from parity.explain.given import drawn_given, entries_given
from parity.explain.runs import RunSide
from parity.rows import rows_of
from shared import lsh, traces
from shared.run import EDGES, SIGNATURES, Run
from shared.spec import Channel

MOST_IDS = 50_000  # whose buckets are looked for: 12 bytes a band each


@dataclass(frozen=True)
class Evidence:
    """Of the two runs of a diff."""

    a: Run
    b: Run

    def earlier_neighbours(self, ids: Collection[str]) -> Mapping[str, set[str]]:
        """id -> the earlier items it has an edge with, in either run."""
        found: dict[str, set[str]] = defaultdict(set)
        for table in self._read(EDGES.name, ids, ["earlier", "later"]):
            for row in table.to_pylist():
                found[row["later"]].add(row["earlier"])
        return found

    def in_a_bucket_with(self, ids: Collection[str], others: Sequence[str]) -> dict[str, str]:
        """id -> the first of `others` that is in a bucket with it in either run, for those where one is.

        Of the others the first MOST_IDS are looked for.
        """
        if not ids or not others:
            return {}
        order = {other: place for place, other in enumerate(others[:MOST_IDS])}
        hashes, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for names, entries in self._entries(order):
            hashes.append(entries.ravel())
            places = np.array([order[name] for name in names], np.int64)
            owners.append(np.repeat(places, entries.shape[1]))
        entry, owner = np.concatenate(hashes), np.concatenate(owners)
        by_entry = np.lexsort((owner, entry))
        entry, owner = entry[by_entry], owner[by_entry]
        best: dict[str, int] = {}
        for names, entries in self._entries(ids) if len(entry) else ():
            at = np.minimum(np.searchsorted(entry, entries), len(entry) - 1)
            first = np.where(entry[at] == entries, owner[at], len(order)).min(axis=1)
            for name, place in zip(names, first.tolist(), strict=True):
                best[name] = min(place, best.get(name, place))
        return {name: others[place] for name, place in best.items() if place < len(order)}

    def wrongly_decided(self, ids: Collection[str]) -> set[str]:
        """Those of these ids whose cluster row does not follow from its own run; none of too many ids."""
        if not ids or len(ids) > MOST_IDS:
            return set()
        return do_not_follow(self.a, ids) | do_not_follow(self.b, ids)

    def drawn(self, ids: Collection[str]) -> dict[str, set[str]]:
        """id -> whom it draws by the signatures of run A. Reads all of them."""
        side = RunSide(self.a)
        events = side.events(ids)
        return drawn_given(side, events, entries_given(self.a.spec, events, side.pieces(ids)))

    def _entries(self, ids: Collection[str]) -> Iterator[tuple[list[str], npt.NDArray[np.uint64]]]:
        """(ids, uint64[ids, bands]: the hashes of their bucket entries), a channel and part at a time."""
        channels = self.a.spec.channels
        for table in self._read(SIGNATURES.name, ids):
            first_slot = 0
            for channel in channels:
                yield _entries(table, channel, first_slot)
                first_slot += channel.bands.count

    def _read(self, stage: str, ids: Collection[str], columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The rows of these ids in both runs, a bounded part at a time."""
        for run in (self.a, self.b):
            yield from rows_of(run, stage, ids, columns)


def _entries(
    signatures: pa.Table, channel: Channel, first_slot: int
) -> tuple[list[str], npt.NDArray[np.uint64]]:
    """Of one channel's rows; damaged ones, which are differences of their own, are left out."""
    whole = pc.equal(pc.binary_length(signatures.column("signature")), 4 * channel.minhash.permutations)
    rows = signatures.filter(pc.and_(pc.equal(signatures.column("channel"), channel.name), whole))
    values = np.frombuffer(b"".join(rows.column("signature").to_pylist()), "<u4")
    buckets = lsh.buckets(values.reshape(rows.num_rows, -1), channel.bands) if rows.num_rows else _NOTHING
    slots = np.arange(first_slot, first_slot + buckets.shape[1])
    hashes = traces.entry_hashes(np.tile(slots, len(buckets)), buckets.ravel())
    return rows.column("id").to_pylist(), hashes.reshape(buckets.shape)


_NOTHING = np.empty((0, 1), np.uint64)
