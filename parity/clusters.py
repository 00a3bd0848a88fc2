"""The clusters of a run by size, in bounded memory: 16 bytes a row, and the names of the largest only."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.run import Run
from shared.xxh64 import hash_binary

_MATCHES = ["head", "channel", "numerator"]


@dataclass(frozen=True)
class Member:
    """A member and its match with its head; no channel where it is the head, or has no edge to it."""

    id: str
    channel: str
    numerator: int
    denominator: int

    @property
    def ratio(self) -> Fraction:
        return Fraction(self.numerator, self.denominator or 1)


def cluster_sizes(
    run: Run, largest: int, by_later_channels: bool = False
) -> tuple[Counter[int], list[tuple[str, int]]]:
    """({size: clusters}, [(head, size)] of the `largest`, by size, then by head).

    by_later_channels: by what the channels after the spec's first counted in all in matches with the head
    (its numerators: points, for a channel of points), then by size.
    """
    parts = [_summary(run, batch) for batch in run.batches("clusters", _MATCHES)]
    if not parts:
        return Counter(), []
    hashes, numerators = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    heads, cluster, members = np.unique(hashes, return_inverse=True, return_counts=True)
    sizes, counts = np.unique(members, return_counts=True)
    keys = [members]
    if by_later_channels:
        keys = [np.bincount(cluster, numerators).astype(np.int64), members]
    by_size = Counter(dict(zip(sizes.tolist(), counts.tolist(), strict=True)))
    if not largest:
        return by_size, []
    top = np.lexsort([-key for key in reversed(keys)])[:largest]
    keys_of = {int(heads[row]): [-int(key[row]) for key in keys] for row in top}
    size_of = dict(zip(heads[top].tolist(), members[top].tolist(), strict=True))
    named: dict[str, int] = {}
    for batch in run.batches("clusters", ["head"]):
        hashes = hash_binary(batch.column("head"), 0)
        for row in np.flatnonzero(np.isin(hashes, heads[top])):
            named[batch.column("head")[int(row)].as_py()] = int(hashes[row])
    ordered = sorted(named, key=lambda head: (keys_of[named[head]], head))
    return by_size, [(head, size_of[named[head]]) for head in ordered]


def _summary(run: Run, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Of each row its head's hash, and the numerator of its match if that is of a later channel, else 0."""
    first = run.manifest["spec"]["channels"][0]["name"]
    early = pc.is_in(batch.column("channel"), pa.array(["", first]))
    numerators = pc.if_else(early, 0, batch.column("numerator"))
    return hash_binary(batch.column("head"), 0), numerators.to_numpy()


def members_of(run: Run, heads: Collection[str]) -> dict[str, list[Member]]:
    """head -> its members, the head first, then the strongest, then by id."""
    order = {channel["name"]: place for place, channel in enumerate(run.manifest["spec"]["channels"])}
    wanted = pa.array(sorted(heads), pa.string())
    found: dict[str, list[Member]] = {head: [] for head in heads}
    for batch in run.batches("clusters"):
        rows = batch.filter(pc.is_in(batch.column("head"), wanted))
        for row in rows.to_pylist():
            member = Member(row["id"], row["channel"], row["numerator"], row["denominator"])
            found[row["head"]].append(member)
    for head, members in found.items():
        members.sort(
            key=lambda member: (
                member.id != head,
                order.get(member.channel, len(order)),
                -member.ratio,
                member.id,
            )
        )
    return found
