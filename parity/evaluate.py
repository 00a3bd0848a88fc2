"""Precision, recall and F1 of a run against labelled pairs: by its edges and by its clusters."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.files import check_files
from parity.truth import Pairs, read_pairs
from shared.run import Run

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Pairs found, pairs that are to be found, and the pairs that are both."""

    found: int
    truth: int
    correct: int

    @property
    def precision(self) -> float | None:
        """None where nothing was found."""
        return self.correct / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """None where there is nothing to find."""
        return self.correct / self.truth if self.truth else None

    @property
    def f1(self) -> float | None:
        both = self.found + self.truth
        return 2 * self.correct / both if both else None


@dataclass(frozen=True)
class Evaluation:
    """Pairs of which an item was deleted are left out; other ids that are not in the index count as missed.

    unknown: ids of the truth that the run never saw. failed: ids with an error status. deleted: ids.
    """

    edges: Score
    clusters: Score
    pairs: int
    repeated: int
    left_out: int
    unknown: tuple[str, ...]
    failed: tuple[str, ...]
    deleted: tuple[str, ...]
    header: str | None


def evaluate(run: Run, truth: Path) -> Evaluation:
    """Hold a run against a file of labelled pairs. SourceError where it is malformed."""
    check_files(run)
    items = run.read("items", columns=["id", "op", "status"])
    pairs = read_pairs(truth, items.column("id"))
    ids, left, right = _distinct(pairs)
    place = _index(ids, items.column("id"))
    op, status = (items.column(name).take(place).to_numpy() for name in ("op", "status"))
    unknown = place.is_null().to_numpy(zero_copy_only=False)
    deleted = ~unknown & (op == "delete")
    failed = ~unknown & ~deleted & (status != "ok") & (status != "no_features")

    keep = ~(deleted[left] | deleted[right])
    codes = left[keep] * len(ids) + right[keep]
    clusters = run.read("clusters", columns=["id", "head"])
    return Evaluation(
        edges=Score(run.rows("edges"), len(codes), _correct_edges(run, ids, codes)),
        clusters=Score(
            _pairs_in_clusters(clusters),
            len(codes),
            _correct_clusters(clusters, ids, left[keep], right[keep]),
        ),
        pairs=len(left),
        repeated=len(pairs.left) - len(left),
        left_out=int((~keep).sum()),
        unknown=_names(ids, unknown),
        failed=_names(ids, failed),
        deleted=_names(ids, deleted),
        header=pairs.header,
    )


def _distinct(pairs: Pairs) -> tuple[pa.Array, Int64s, Int64s]:
    """(ids, left, right): each pair once, as places in ids, the smaller first."""
    both = pa.array([*pairs.left, *pairs.right], pa.string()).dictionary_encode()
    codes: Int64s = both.indices.to_numpy().astype(np.int64).reshape(2, -1)
    low, high = codes.min(axis=0), codes.max(axis=0)
    merged = np.unique(low * len(both.dictionary) + high)
    return both.dictionary, merged // len(both.dictionary), merged % len(both.dictionary)


def _index(values: pa.Array | pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> pa.Array:
    """int32[n]: where each value stands in `among`; null where it does not."""
    value_set = (
        pa.concat_arrays(among.chunks) if isinstance(among, pa.ChunkedArray) and among.num_chunks else among
    )
    if not len(value_set):
        return pa.nulls(len(values), pa.int32())
    found = pc.index_in(values, value_set=value_set)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _correct_edges(run: Run, ids: pa.Array, codes: Int64s) -> int:
    correct = 0
    for batch in run.batches("edges", ["earlier", "later"]):
        ends = [_index(batch.column(name), ids) for name in ("earlier", "later")]
        known = pc.and_(ends[0].is_valid(), ends[1].is_valid())
        a, b = (end.filter(known).to_numpy().astype(np.int64) for end in ends)
        correct += int(np.isin(np.minimum(a, b) * len(ids) + np.maximum(a, b), codes).sum())
    return correct


def _pairs_in_clusters(clusters: pa.Table) -> int:
    sizes = clusters.group_by("head").aggregate([([], "count_all")]).column("count_all").to_pylist()
    return sum(size * (size - 1) // 2 for size in sizes)


def _correct_clusters(clusters: pa.Table, ids: pa.Array, left: Int64s, right: Int64s) -> int:
    heads = clusters.column("head").take(_index(ids, clusters.column("id")))
    same = pc.equal(heads.take(pa.array(left)), heads.take(pa.array(right)))
    return int(pc.sum(pc.fill_null(same, False)).as_py() or 0)


def _names(ids: pa.Array, mask: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(sorted(ids.filter(pa.array(mask)).to_pylist()))
