"""The clusters of a run by size, in bounded memory: 8 bytes a row, and the names of the largest only."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.run import Run
from shared.xxh64 import hash_binary


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


def cluster_sizes(run: Run, largest: int) -> tuple[Counter[int], list[tuple[str, int]]]:
    """({size: clusters}, [(head, size)] of the `largest`, by size, then by head)."""
    parts = [hash_binary(batch.column("head"), 0) for batch in run.batches("clusters", ["head"])]
    if not parts:
        return Counter(), []
    heads, members = np.unique(np.concatenate(parts), return_counts=True)
    sizes, counts = np.unique(members, return_counts=True)
    top = np.argsort(-members, kind="stable")[:largest]
    size_of = dict(zip(heads[top].tolist(), members[top].tolist(), strict=True))
    named: dict[str, int] = {}
    for batch in run.batches("clusters", ["head"]):
        hashes = hash_binary(batch.column("head"), 0)
        for row in np.flatnonzero(np.isin(hashes, heads[top])):
            named[batch.column("head")[int(row)].as_py()] = size_of[int(hashes[row])]
    ordered = sorted(named.items(), key=lambda entry: (-entry[1], entry[0]))
    return Counter(dict(zip(sizes.tolist(), counts.tolist(), strict=True))), ordered


def members_of(run: Run, heads: Collection[str]) -> dict[str, list[Member]]:
    """head -> its members, the head first, then the strongest, then by id."""
    wanted = pa.array(sorted(heads), pa.string())
    found: dict[str, list[Member]] = {head: [] for head in heads}
    for batch in run.batches("clusters"):
        rows = batch.filter(pc.is_in(batch.column("head"), wanted))
        for row in rows.to_pylist():
            member = Member(row["id"], row["channel"], row["numerator"], row["denominator"])
            found[row["head"]].append(member)
    for head, members in found.items():
        members.sort(key=lambda member: (member.id != head, member.channel == "", -member.ratio, member.id))
    return found
