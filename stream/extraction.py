"""Sketching in worker processes, ahead of need: features of pictures cost all cores, the index one.

`sketch` is a function of each payload alone, so a micro-batch may be cut into slices, sketched anywhere
and in any order, and put together again; the answer is that of one call. A slice and its answer travel
as Arrow's stream format. Nothing here decides anything: an event that was sketched ahead and does not
win is forgotten, one that wins and was not is sketched then.
"""

import math
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

import pyarrow as pa

from shared.errors import CrossfadeError, TransientError
from shared.events import EVENT_SCHEMA
from shared.processes import end_with_parent, interrupts_held
from shared.similarity import ChannelFeatures
from shared.sketch import Sketched, sketch
from shared.spec import Spec

SLICE = 8  # events at most: tenths of a second of work with pictures, against a millisecond to send it

Place = tuple[int, int]  # partition and offset: which record an event is

_READ = ["op", "kind", "payload", "digest"]  # the columns that `sketch` reads
_spec: Spec  # of a worker


class Workers:
    """`count` processes that sketch. They end with this process, however it ends."""

    def __init__(self, spec: Spec, count: int) -> None:
        self.spec, self._count = spec, count
        # Not forked: the threads of RocksDB, Kafka and Arrow would be missing in a copy of this process.
        self._pool = ProcessPoolExecutor(
            count, multiprocessing.get_context("spawn"), initializer=_start, initargs=(spec,)
        )
        with interrupts_held():
            for _ in range(count):
                self._submit(EVENT_SCHEMA.empty_table())  # starts one

    def begin(self, events: pa.Table) -> "Sketching":
        """Start to sketch these events (WINNER_SCHEMA)."""
        return Sketching(self, events)

    def send(self, events: pa.Table) -> list[tuple[list[Place], Future[bytes]]]:
        """Each slice of these events, and its answer to come."""
        size = min(SLICE, max(1, math.ceil(events.num_rows / (2 * self._count))))
        slices = [events.slice(start, size) for start in range(0, events.num_rows, size)]
        return [(_places(part), self._submit(part)) for part in slices]

    def close(self) -> None:
        """End the processes, each after the slice it works on."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, events: pa.Table) -> Future[bytes]:
        try:
            return self._pool.submit(_work, _write(events.select(_READ)))
        except BrokenProcessPool:
            raise _died() from None


class Sketching:
    """Sketches on their way. Called with the events that are wanted in the end, it is `sketch`."""

    def __init__(self, workers: Workers, events: pa.Table) -> None:
        self._workers, self._slices = workers, workers.send(events)

    def __call__(self, events: pa.Table) -> Sketched:
        """Statuses and features of these events (WINNER_SCHEMA), as `sketch` gives them.

        TransientError where the payload of one cannot be had now. CrossfadeError where a worker died.
        """
        if not events.num_rows:
            return sketch(self._workers.spec, events)
        answers: list[pa.Table] = []
        rows: dict[Place, int] = {}

        def add(places: list[Place], answer: Future[bytes]) -> None:
            answers.append(_read(_result(answer)))
            rows.update(zip(places, range(len(rows), len(rows) + len(places)), strict=True))

        wanted = _places(events)
        among = frozenset(wanted)
        for places, answer in self._slices:
            if not among.isdisjoint(places):
                with suppress(TransientError):  # of an event that is wanted? then it is raised below
                    add(places, answer)
        missing = [row for row, place in enumerate(wanted) if place not in rows]
        for places, answer in self._workers.send(events.take(pa.array(missing, pa.int64()))):
            add(places, answer)
        return _sketched(pa.concat_tables(answers).take(pa.array([rows[place] for place in wanted])))

    def cancel(self) -> None:
        """Let go of what no worker has started."""
        for _, answer in self._slices:
            answer.cancel()


def _places(events: pa.Table) -> list[Place]:
    partitions, offsets = (events.column(name).to_pylist() for name in ("partition", "offset"))
    return list(zip(partitions, offsets, strict=True))


def _result(answer: Future[bytes]) -> bytes:
    try:
        return answer.result()
    except BrokenProcessPool:
        raise _died() from None


def _died() -> CrossfadeError:
    return CrossfadeError(
        "a worker process that extracts features was killed, most often by the system for want of memory; "
        "nothing is lost: start again, and if it happens again, with fewer --workers or more memory"
    )


def _sketched(answer: pa.Table) -> Sketched:
    status, *columns = (column.combine_chunks() for column in answer.columns)
    pairs = zip(columns[::2], columns[1::2], strict=True)
    return Sketched(
        status.to_numpy(zero_copy_only=False), tuple(ChannelFeatures(*features) for features in pairs)
    )


def _write(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _read(packed: bytes) -> pa.Table:
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_all()


# In a worker.


def _start(spec: Spec) -> None:
    global _spec  # noqa: PLW0603
    _spec = spec
    end_with_parent()


def _work(packed: bytes) -> bytes:
    found = sketch(_spec, _read(packed))
    columns = {"status": pa.array(found.status, pa.string())}
    for c, features in enumerate(found.features):
        columns |= {f"s{c}": features.signatures, f"r{c}": features.records}
    return _write(pa.table(columns))
