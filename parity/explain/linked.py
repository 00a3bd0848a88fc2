"""What is connected with some items in a run, whose edges are stored under their later ends only."""

from collections import defaultdict
from collections.abc import Collection

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shared import traces
from shared.run import EDGES, Run
from shared.traces import UInt64s

_ENDS = ["earlier", "later"]
_NO_EDGES = np.empty((0, 2), np.uint64)


def linked(run: Run, ids: Collection[str], most: int) -> dict[str, set[str]]:
    """id -> all that it has an edge with, for these ids and all that they are connected with.

    Where a component would make them more than `most`, only its own of these ids are followed. Reads the
    edges twice, however long their chains are: all hashes of ids (16 bytes an edge are kept), then the
    rows themselves.
    """
    followed = _followed(run, traces.id_hashes(pa.array(sorted(ids), pa.string())), most)
    near: dict[str, set[str]] = defaultdict(set, {item: set() for item in ids})
    for batch in run.batches(EDGES.name, _ENDS):
        ends = [np.isin(traces.id_hashes(batch.column(name)), followed) for name in _ENDS]
        rows = batch.filter(pa.array(ends[0] | ends[1]))
        for earlier, later in zip(*(rows.column(name).to_pylist() for name in _ENDS), strict=True):
            near[earlier].add(later)
            near[later].add(earlier)
    names = list(near)
    known = np.isin(traces.id_hashes(pa.array(names, pa.string())), followed)
    return {item: near[item] for item, follow in zip(names, known.tolist(), strict=True) if follow}


def _followed(run: Run, own: UInt64s, most: int) -> UInt64s:
    """Hashes of the ids whose edges are wanted: these, and all of their components that are not too large."""
    read = [
        np.stack([traces.id_hashes(batch.column(name)) for name in _ENDS], axis=1)
        for batch in run.batches(EDGES.name, _ENDS)
    ]
    hashes, ends = np.unique(np.concatenate([_NO_EDGES, *read]), return_inverse=True)
    earlier, later = ends.reshape(-1, 2).T
    graph = coo_array((np.ones(len(earlier), np.bool_), (earlier, later)), shape=(len(hashes),) * 2)
    components, component = connected_components(graph, directed=False)
    wanted = np.unique(component[np.isin(hashes, own)])
    sizes = np.bincount(component, minlength=components)[wanted]
    smallest = np.argsort(sizes, kind="stable")
    small = wanted[smallest[np.cumsum(sizes[smallest]) <= most]]
    return np.concatenate([own, hashes[np.isin(component, small)]])
