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
import pyarrow.compute as pc

from parity.files import AGAIN
from shared.errors import SourceError
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

    Reads the ids and heads of either run once. Memory: a batch, the named ids, and for each row of A's
    clusters a few 8-byte words. Raises SourceError where a table cannot be read.
    """
    wanted = pa.array(sorted(named), pa.string())
    heads_a: dict[str, str] = {}
    heads_b: dict[str, str] = {}
    hashes = [np.empty(0, np.uint64)]  # of the other ids' heads
    for heads, others in _read(a, wanted):
        heads_a |= heads
        hashes.append(hash_binary(others, 0))
    for heads, _ in _read(b, wanted):
        heads_b |= heads
    affected = sorted({*heads_a.values(), *heads_b.values()})
    unnamed, other_sizes = _sizes(hashes, affected)
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
        int(other_sizes.sum()),
        int((other_sizes * (other_sizes - 1) // 2).sum()),
    )


def _read(run: Run, wanted: pa.Array) -> Iterator[tuple[dict[str, str], pa.Array]]:
    """Of each batch (id -> head of the wanted ids, the heads of all others)."""
    try:
        for batch in run.batches("clusters", ["id", "head"]):
            mask = pc.is_in(batch.column("id"), wanted)
            rows = batch.filter(mask)
            heads = zip(rows.column("id").to_pylist(), rows.column("head").to_pylist(), strict=True)
            yield dict(heads), batch.column("head").filter(pc.invert(mask))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{run.path}: the rows of clusters cannot be read ({error}); {AGAIN}") from error


def _sizes(
    hashes: list[npt.NDArray[np.uint64]], affected: list[str]
) -> tuple[Counter[str], npt.NDArray[np.int64]]:
    """(how often each affected head is among the hashes, how often each other head)."""
    keys = hash_binary(pa.array(affected, pa.string()), 0)
    found, counts = np.unique(np.concatenate(hashes), return_counts=True)
    mine = np.isin(found, keys)
    of_key = dict(zip(found[mine].tolist(), counts[mine].tolist(), strict=True))
    sizes = {head: of_key.get(key, 0) for head, key in zip(affected, keys.tolist(), strict=True)}
    return Counter({head: size for head, size in sizes.items() if size}), counts[~mine]
