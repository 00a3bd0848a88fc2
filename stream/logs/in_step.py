"""A reader whose partitions advance together, by event time.

A log hands out a backlog a fetch at a time, one partition after another, so that to the index all of the
next partition is late: it goes before what is there already, whose draws move. What comes out of that is the
same in any order; the work is not. Append times would be too coarse: a producer sends records in batches, a
partition each, and what is appended at once may span many seconds of events.
"""

import time
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.events import MAX_TIME, NO_TIME, event_times
from shared.records import RECORD_SCHEMA
from stream.logs.checks import check_partitions
from stream.logs.protocol import LogReader, Message

BATCH_BYTES = 32 * 2**20  # of values in what a poll gives, but for a single record that is larger
_AT_ONCE = 1_000  # records of a poll of the log
_MOST = 10_000  # records held of a partition, or as many as are asked for, before no more of it is read
_MOST_BYTES = 8 * 2**20  # likewise
_PATIENCE = 0.2  # seconds to wait for a partition that is behind, while others have records
_FRESH = 1.0  # seconds for which the log's ends are taken to be where they were


class InStep:
    """See LogReader. It holds some fetches of each partition, and reads them from `reader`, which it owns.

    A poll gives BATCH_BYTES of values at most, and may take _PATIENCE longer than it was told to.
    """

    def __init__(self, reader: LogReader) -> None:
        self.identity, self.partitions = reader.identity, reader.partitions
        self._reader = reader
        # Read and not yet handed out, with the event times in a column `time`; none is empty.
        self._held: dict[int, pa.Table] = {}
        self._ends: dict[int, int] = {}
        self._ends_until = 0.0

    def end_offsets(self) -> dict[int, int]:
        return self._reader.end_offsets()

    def seek(self, positions: Mapping[int, int]) -> None:
        check_partitions(self, positions)
        now = self.positions()
        moved = {p: offset for p, offset in positions.items() if offset != now[p]}
        for partition in moved:
            self._held.pop(partition, None)
        self._reader.seek(moved)

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        wanted = self.partitions if only is None else tuple(sorted(only))
        self._fill(wanted, max_records, timeout)
        held = {p: self._held[p] for p in wanted if p in self._held}
        taken = []
        for (partition, table), count in zip(held.items(), _earliest(held, max_records), strict=True):
            taken.append(table.slice(0, count).drop_columns("time"))
            left = self._held.pop(partition).slice(count)
            if len(left):
                self._held[partition] = left
        return pa.concat_tables([RECORD_SCHEMA.empty_table(), *taken])

    def positions(self) -> dict[int, int]:
        first = {p: table.column("offset")[0].as_py() for p, table in self._held.items()}
        return self._reader.positions() | first

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        self._reader.seek(self.positions())
        self._held.clear()
        return self._reader.messages_until(offsets)

    def close(self) -> None:
        self._reader.close()

    def _fill(self, wanted: tuple[int, ...], enough: int, timeout: float) -> None:
        """Read until each wanted partition has `enough` records or all there are.

        Waits up to `timeout` for the first, and has some patience with a partition that has more.
        """
        deadline = time.monotonic() + timeout
        while True:
            some = any(p in self._held for p in wanted)
            if some and not self._behind(wanted, enough):
                return
            before = self._reader.positions()
            wait = _PATIENCE if some else max(0.0, deadline - time.monotonic())
            room = [p for p in wanted if self._has_room(p, max(_MOST, enough))]
            got = self._reader.poll(_AT_ONCE, wait, room)
            at = self._reader.positions()
            if not len(got):
                if some:  # whoever gives nothing now is not waited for again at once
                    self._ends, self._ends_until = at, time.monotonic() + _FRESH
                if some or at != before or time.monotonic() >= deadline:
                    return
            got = got.append_column("time", pa.array(event_times(got)))
            for partition in got.column("partition").unique().to_pylist():
                mine = got.filter(pc.equal(got.column("partition"), partition))
                held = self._held.get(partition)
                self._held[partition] = mine if held is None else pa.concat_tables([held, mine])

    def _behind(self, wanted: tuple[int, ...], enough: int) -> bool:
        """Whether a partition has less than `enough` records here, and more in the log."""
        now = time.monotonic()
        if now >= self._ends_until:
            self._ends, self._ends_until = self._reader.end_offsets(), now + _FRESH
        at = self._reader.positions()
        return any(at[p] < self._ends[p] and self._has_room(p, enough) for p in wanted)

    def _has_room(self, partition: int, most: int) -> bool:
        held = self._held.get(partition)
        return held is None or (len(held) < most and held.nbytes < _MOST_BYTES)


def _earliest(tables: Mapping[int, pa.Table], count: int) -> npt.NDArray[np.int64]:
    """How many rows of each table are among the first `count` of all by event time, or fewer by their bytes.

    Of equal times the first rows of each table come first.
    """
    if not tables:
        return np.empty(0, np.int64)
    times = [_in_order(table.column("time").to_numpy())[:count] for table in tables.values()]
    places = [np.arange(len(own)) for own in times]
    values = [table.column("value")[: len(own)] for table, own in zip(tables.values(), times, strict=True)]
    sizes = np.concatenate([pc.fill_null(pc.binary_length(own), 0).to_numpy() for own in values])
    owner = np.repeat(np.arange(len(times)), [len(own) for own in times])
    order = np.lexsort((np.concatenate(places), np.concatenate(times)))
    fit = np.searchsorted(np.cumsum(sizes[order]), BATCH_BYTES, side="right")
    return np.bincount(owner[order[: min(count, max(1, int(fit)))]], minlength=len(times))


def _in_order(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64[n], ascending: each time as the least of it and those after it, so that one from 2999 holds
    nothing up. What is no event goes with the next that is one, or at the end with the last before it."""
    known = np.flatnonzero(times != NO_TIME)
    filled = times.copy()
    filled[known[-1] + 1 if len(known) else 0 :] = times[known[-1]] if len(known) else -MAX_TIME
    return np.minimum.accumulate(filled[::-1])[::-1]
