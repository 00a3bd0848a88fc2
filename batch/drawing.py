"""Draws over one sorted stream of bucket members that comes in batches of any size."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from batch.groups import group_starts
from shared import lsh
from shared.spec import Channel

Int64s = npt.NDArray[np.int64]

HOT = 20  # buckets that are named, of those that left out most
Hot = tuple[int, int, int, int]  # left out, slot, value (unsigned), members


class Drawing:
    """Feed `draw` with rows sorted by (slot, bucket, rank), then call `finish`.

    slot: a band's number among all bands of all channels, in the spec's order. Of the bucket that is
    open between two calls only what `lsh.carry` says is held.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.buckets = 0
        self.left_out = 0
        self.hot: list[Hot] = []
        counts = [channel.bands.count for channel in channels]
        self._first = np.repeat([channel.draws.first for channel in channels], counts).astype(np.int64)
        self._near = np.repeat([channel.draws.near for channel in channels], counts).astype(np.int64)
        self._carried = np.empty((3, 0), np.int64)  # slot, bucket, rank
        self._open = np.zeros(2, np.int64)  # slot and value of the open bucket
        self._members = 0  # of the open bucket, the carried ones among them

    def draw(self, slot: Int64s, bucket: Int64s, rank: Int64s) -> tuple[Int64s, Int64s]:
        """(later, earlier): ranks of the pairs that these rows draw."""
        rows = np.stack([slot, bucket, rank])
        if not rows.shape[1]:
            return rows[2], rows[2]
        carried = self._carried.shape[1]
        if self._members and (self._open != rows[:2, 0]).any():
            self._count(self._open[None, :], np.array([self._members]))
            self._members = carried = 0
        elif carried:
            rows = np.concatenate([self._carried, rows], axis=1)
        starts = group_starts(rows[0], rows[1])
        slots = rows[0, starts[:-1]]
        first, near = self._first[slots], self._near[slots]
        later, earlier = lsh.draw(starts, carried, first, near)
        members = np.diff(starts)
        members[0] += self._members - carried
        self._count(rows[:2, starts[:-2]].T, members[:-1])
        self._members = int(members[-1])
        self._open = rows[:2, -1].copy()
        self._carried = rows[:, lsh.carry(int(starts[-2]), int(starts[-1]), int(first[-1]), int(near[-1]))]
        return rows[2, later], rows[2, earlier]

    def finish(self) -> None:
        """Count the last bucket."""
        if self._members:
            self._count(self._open[None, :], np.array([self._members]))
        self._members = 0

    def _count(self, keys: Int64s, members: Int64s) -> None:
        """keys: int64[n, 2] (slot, bucket) of n finished buckets; members: int64[n]."""
        self.buckets += len(members)
        slots = keys[:, 0]
        out = np.zeros(len(members), np.int64)
        for slot in np.unique(slots[members > 1]):
            at = slots == slot
            out[at] = lsh.left_out(members[at], int(self._first[slot]), int(self._near[slot]))
        self.left_out += int(out.sum())
        hot = np.flatnonzero(out)
        value = keys[hot, 1].view(np.uint64)
        hot = hot[np.lexsort((value, slots[hot], -out[hot]))[:HOT]]
        columns = (out[hot], slots[hot], keys[hot, 1].view(np.uint64), members[hot])
        self.hot = hottest([*self.hot, *zip(*(column.tolist() for column in columns), strict=True)])


def hottest(buckets: Iterable[Hot]) -> list[Hot]:
    """The HOT buckets that left out most; ties by slot and value, whatever the partitions."""
    return sorted(buckets, key=lambda b: (-b[0], b[1], b[2]))[:HOT]


def describe(channels: Sequence[Channel], hot: Hot) -> dict[str, Any]:
    """A hot bucket as the manifest has it."""
    bands = [(channel.name, band) for channel in channels for band in range(channel.bands.count)]
    left_out, slot, bucket, members = hot
    channel, band = bands[slot]
    return {
        "channel": channel,
        "band": band,
        "bucket": f"{bucket:016x}",
        "members": members,
        "left_out": left_out,
    }
