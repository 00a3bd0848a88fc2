"""The members of some buckets of a run, from all its signatures: one pass, and only these buckets kept."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared import lsh
from shared.heads import priority_keys
from shared.run import Run
from shared.sketch import INDEXED
from shared.spec import Channel, Spec
from shared.stored import Entry

Int64s = npt.NDArray[np.int64]


def bucket_members(run: Run, spec: Spec, entries: Collection[Entry]) -> dict[Entry, pa.Array]:
    """binary, sorted: the priority keys of each bucket's members, each once however often its rows are there.
    An item that is not indexed is none.

    Memory: a batch, and the ids of the buckets' members.
    """
    wanted = sorted(entries)
    number, ids = _in_buckets(run, spec, wanted)
    known, keys = _keys(run, ids)
    place = pc.index_in(ids, value_set=known)
    there = place.is_valid()
    members = pa.table({"bucket": pa.array(number).filter(there), "key": keys.take(place.filter(there))})
    members = members.group_by(["bucket", "key"]).aggregate([])
    members = members.sort_by([("bucket", "ascending"), ("key", "ascending")])
    starts = np.searchsorted(members.column("bucket").to_numpy(), np.arange(len(wanted) + 1))
    in_order = members.column("key").combine_chunks()
    return {entry: in_order[starts[i] : starts[i + 1]] for i, entry in enumerate(wanted)}


def whole(signatures: pa.Array, channel: Channel) -> pa.Array:
    """bool[n]: whether a signature has the bytes that the channel gives it."""
    return pc.equal(pc.binary_length(signatures), 4 * channel.minhash.permutations)


def _in_buckets(run: Run, spec: Spec, wanted: list[Entry]) -> tuple[Int64s, pa.Array]:
    """(numbers of buckets in `wanted`, ids): who is in them."""
    numbers, ids = [np.empty(0, np.int64)], [pa.array([], pa.string())]
    by_channel = [_by_band(wanted, order) for order in range(len(spec.channels))]
    for batch in run.batches("signatures", ["id", "channel", "signature"]) if wanted else ():
        for channel, bands in zip(spec.channels, by_channel, strict=True):
            if not bands:
                continue
            own = pc.equal(batch.column("channel"), channel.name)
            rows = batch.filter(pc.and_(own, whole(batch.column("signature"), channel)))
            _, buckets = lsh.item_buckets(rows.column("signature"), channel)
            for band, (values, places) in bands.items():
                at = np.minimum(np.searchsorted(values, buckets[:, band]), len(values) - 1)
                found = np.flatnonzero(values[at] == buckets[:, band])
                numbers.append(places[at[found]])
                ids.append(rows.column("id").take(pa.array(found)))
    return np.concatenate(numbers), pa.concat_arrays(ids)


def _by_band(wanted: list[Entry], order: int) -> dict[int, tuple[npt.NDArray[np.uint64], Int64s]]:
    """band -> (buckets of this channel, ascending; their numbers in `wanted`, which is sorted)."""
    bands: dict[int, list[int]] = {}
    for number, (channel, band, _) in enumerate(wanted):
        if channel == order:
            bands.setdefault(band, []).append(number)
    return {
        band: (np.array([wanted[n][2] for n in numbers], np.uint64), np.array(numbers, np.int64))
        for band, numbers in bands.items()
    }


def _keys(run: Run, ids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(indexed ids among these, their priority keys)."""
    names, keys = [pa.array([], pa.string())], [pa.array([], pa.binary())]
    unique = ids.unique()
    for batch in run.batches("items", ["id", "effective_time", "version_time", "status"]):
        indexed = pc.is_in(batch.column("status"), pa.array(INDEXED))
        rows = batch.filter(pc.and_(pc.is_in(batch.column("id"), unique), indexed))
        effective, version = (rows.column(f"{name}_time").to_numpy() for name in ("effective", "version"))
        names.append(rows.column("id"))
        keys.append(priority_keys(effective, version, rows.column("id")))
    return pa.concat_arrays(names), pa.concat_arrays(keys)
