"""How many ids are in which cluster of A and in which of B, in bounded memory.

An id whose cluster row does not differ has the same head in both runs. So only the ids that differ are
looked at by name; of all others it is enough to know how many have which head.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.run import Run
from shared.xxh64 import hash_binary


@dataclass(frozen=True)
class Contingency:
    """Of the named ids the heads; of the clusters with a named id on either side the sizes.

    common: how many of a cluster's ids the other side has. cells: (head in A, head in B) -> ids. All other
    clusters are equal in both runs: they hold `other_items` ids, and `other_pairs` pairs.
    """

    heads_a: dict[str, str]
    heads_b: dict[str, str]
    sizes_a: Counter[str]
    sizes_b: Counter[str]
    common_a: Counter[str]
    common_b: Counter[str]
    cells: Counter[tuple[str, str]]
    other_items: int
    other_pairs: int


def contingency(a: Run, b: Run, named: Iterable[str]) -> Contingency:
    """named: all ids whose cluster rows differ, and any others.

    Reads the ids and heads of either run once. Memory: a batch, the named ids, and some 30 bytes for
    each row of A's clusters. Raises SourceError where a table cannot be read.
    """
    wanted = np.sort(hash_binary(pa.array(list(named), pa.string()), 0))
    heads_a: dict[str, str] = {}
    heads_b: dict[str, str] = {}
    hashes = [np.empty(0, np.uint64)]  # of the other ids' heads
    for heads, others in _read(a, wanted):
        heads_a |= heads
        hashes.append(hash_binary(others, 0))
    for heads, _ in _read(b, wanted):
        heads_b |= heads
    affected = sorted({*heads_a.values(), *heads_b.values()})
    unnamed, other_items, other_pairs = _sizes(hashes, affected)
    cells = Counter({(head, head): size for head, size in unnamed.items()})
    cells.update((head, heads_b[item]) for item, head in heads_a.items() if item in heads_b)
    common_a, common_b = Counter[str](), Counter[str]()
    for (head_a, head_b), size in cells.items():
        common_a[head_a] += size
        common_b[head_b] += size
    return Contingency(
        heads_a,
        heads_b,
        unnamed + Counter(heads_a.values()),
        unnamed + Counter(heads_b.values()),
        common_a,
        common_b,
        cells,
        other_items,
        other_pairs,
    )


def _read(run: Run, wanted: npt.NDArray[np.uint64]) -> Iterator[tuple[dict[str, str], pa.Array]]:
    """Of each batch (id -> head of the ids with a wanted hash, the heads of all others)."""
    for batch in run.batches("clusters", ["id", "head"]):
        # Arrow's is_in would make a table of all that is wanted for every batch. An id that has such a
        # hash by chance has it in both runs, and is named then like any other.
        hashes = hash_binary(batch.column("id"), 0)
        mask = np.searchsorted(wanted, hashes) < np.searchsorted(wanted, hashes, "right")
        rows = batch.filter(pa.array(mask))
        heads = zip(rows.column("id").to_pylist(), rows.column("head").to_pylist(), strict=True)
        yield dict(heads), batch.column("head").filter(pa.array(~mask))


def _sizes(heads: list[npt.NDArray[np.uint64]], affected: list[str]) -> tuple[Counter[str], int, int]:
    """(how many of these hashes each affected head has, how many the others have, and pairs of these)."""
    every = np.concatenate(heads)
    every.sort()
    keys = hash_binary(pa.array(affected, pa.string()), 0)
    mine = np.searchsorted(every, keys, "right") - np.searchsorted(every, keys)
    ends = np.flatnonzero(every[1:] != every[:-1])
    clusters = np.diff(ends, prepend=-1, append=len(every) - 1)
    sizes = {head: size for head, size in zip(affected, mine.tolist(), strict=True) if size}
    return Counter(sizes), len(every) - int(mine.sum()), _pairs(clusters) - _pairs(mine)


def _pairs(sizes: npt.NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
