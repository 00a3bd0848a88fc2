"""The ids whose rows are looked for in the tables of the runs, and where they are found."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.run import Run
from shared.xxh64 import hash_binary

Int64s = npt.NDArray[np.int64]
NOWHERE = -1


@dataclass(frozen=True)
class Wanted:
    """ids: string, each once. An id's place in them stands for it everywhere else."""

    ids: pa.Array
    _seed: int
    _hashes: npt.NDArray[np.uint64]
    _places: Int64s

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: pa.Array | pa.ChunkedArray) -> Int64s:
        """int64[n]: the place of each id (string), NOWHERE where it is not wanted."""
        names = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        if not len(self) or not len(names):
            return np.full(len(names), NOWHERE, np.int64)
        hashes = hash_binary(names, self._seed)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        rows = np.flatnonzero(self._hashes[at] == hashes)
        places = self._places[at[rows]]
        # A few of a hash's 2^64 values may be of another id: the names decide.
        same = pc.equal(names.take(pa.array(rows)), self.ids.take(pa.array(places)))
        found = np.full(len(names), NOWHERE, np.int64)
        mask = same.to_numpy(zero_copy_only=False).astype(bool)
        found[rows[mask]] = places[mask]
        return found


def wanted(columns: Iterable[pa.ChunkedArray]) -> Wanted:
    """All ids of these columns (string)."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    ids = pc.unique(pa.chunked_array(chunks, pa.string()))
    seed = 0
    # Arrow's own look-up would make a table of all that is wanted for every batch.
    while len(np.unique(hashes := hash_binary(ids, seed))) < len(ids):
        seed += 1
    places = np.argsort(hashes)
    return Wanted(ids, seed, hashes[places], places)


def read_heads(run: Run, ids: Wanted) -> pa.Array:
    """string[n]: the head of each wanted id in a run; null where it is in no cluster."""
    rows, names = [np.empty(0, np.int64)], [pa.array([], pa.string())]
    for batch in run.batches("clusters", ["id", "head"]):
        places = ids.find(batch.column("id"))
        rows.append(places[places != NOWHERE])
        names.append(batch.column("head").filter(pa.array(places != NOWHERE)))
    place = np.concatenate(rows)
    at = np.full(len(ids), NOWHERE, np.int64)
    at[place] = np.arange(len(place))
    return pa.concat_arrays(names).take(pa.array(at, mask=at == NOWHERE))
