"""Runs at different fences: which rows differ only because one run saw more of the log."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from parity.align import AlignmentError
from shared.fence import Fence
from shared.run import Run
from shared.versions import NEVER, horizon


@dataclass(frozen=True)
class Late:
    """What each run, A and B, had not seen: fences[side] and what was too old for it, horizons[side]."""

    fences: tuple[Fence, Fence]
    horizons: tuple[int, int]

    @property
    def ahead(self) -> int | None:
        """The side that saw all that the other one did; None where neither did."""
        a, b = (fence.positions() for fence in self.fences)
        partitions = a.keys() | b.keys()
        for side, (one, other) in enumerate(((a, b), (b, a))):
            if all(one.get(p, 0) >= other.get(p, 0) for p in partitions):
                return side
        return None

    def of(self, items: pa.Table, side: int) -> list[bool]:
        """Of rows of `side` (0 = A): does the event lie past the other's fence, or is it too old there?"""
        offsets, partitions = (items.column(name).to_numpy() for name in ("offset", "partition"))
        own, other = (
            np.array([positions.get(partition, 0) for partition in partitions.tolist()], np.int64)
            for positions in (self.fences[side].positions(), self.fences[1 - side].positions())
        )
        past = (offsets >= other) & (offsets < own)  # past its own fence it is nobody's late event
        old = items.column("version_time").to_numpy() < self.horizons[1 - side]
        return [bool(flag) for flag in past | old]


def late_between(a: Run, b: Run) -> Late | None:
    """None where both runs stand at one fence. AlignmentError where they are of different logs or without."""
    if a.fence is None or b.fence is None:
        raise AlignmentError(
            f"--allow-late needs runs with fences, and {a.path if a.fence is None else b.path} was made from "
            f"files without offsets; make both from one lake"
        )
    if (a.fence.cluster, a.fence.topic) != (b.fence.cluster, b.fence.topic):
        raise AlignmentError(
            f"{a.path} and {b.path} are of different logs, {a.fence.describe()} against "
            f"{b.fence.describe()}; --allow-late is for two fences of one topic"
        )
    if a.fence == b.fence:
        return None
    return Late((a.fence, b.fence), (_horizon(a), _horizon(b)))


def _horizon(run: Run) -> int:
    """Events before it do not count in this run: maybe none does, where a repeat has set the watermark."""
    times = run.spec.times
    if times.retention_ms is None:
        return NEVER
    if run.watermark is None and run.rows("items"):
        raise AlignmentError(
            f"{run.path} does not say its watermark, and its spec has a retention; write it again with this "
            f"version of crossfade"
        )
    return NEVER if run.watermark is None else horizon(run.watermark, times)
