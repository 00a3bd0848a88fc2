"""Partitions in step: nothing is lost, doubled or out of order, and no partition runs ahead of another."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import NO_TIME, event_times
from shared.records import RECORD_SCHEMA
from stream.logs import in_step, memory
from stream.logs.in_step import InStep
from stream.logs.open import open_reader, open_writer
from tests.conftest import Logs

Appended = list[tuple[int, int | None]]  # (partition, event time) of records in the order of their appends


def value(event_time: int | None) -> bytes:
    return b"no event" if event_time is None else orjson.dumps({"event_time": event_time})


def a_topic(appended: Appended, partitions: int) -> str:
    """With a transaction's marker after every seventh record."""
    address = f"memory:in-step-{uuid4()}"
    memory.create_topic(address, partitions)
    for number, (partition, event_time) in enumerate(appended):
        log = memory._TOPICS[address].logs[partition]
        log.append(memory._Record(number, b"key", value(event_time), {}))
        if number % 7 == 6:
            log.append(None)
    return address


def offsets(address: str) -> dict[int, list[int]]:
    """Those of the records of each partition."""
    logs = enumerate(memory._TOPICS[address].logs)
    return {partition: [at for at, record in enumerate(log) if record] for partition, log in logs}


@contextmanager
def limits(**changed: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, number in changed.items():
            patch.setattr(in_step, name, number)
        yield


@given(
    appended=st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(-1, 20)), max_size=40),
    steps=st.lists(
        st.tuples(st.integers(1, 9), st.none() | st.sets(st.integers(0, 2)), st.booleans()), max_size=12
    ),
    at_once=st.integers(1, 5),
    most=st.integers(1, 5),
    size=st.sampled_from([1, 60, 200, 2**20]),
)
def test_every_record_once_in_order_whatever_is_asked(
    appended: Appended,
    steps: list[tuple[int, set[int] | None, bool]],
    at_once: int,
    most: int,
    size: int,
) -> None:
    address = a_topic(appended, partitions=3)
    reader, left = InStep(memory.MemoryReader(address)), offsets(address)
    with limits(_AT_ONCE=at_once, _MOST=most, _MOST_BYTES=size, BATCH_BYTES=size):
        for count, only, back in [*steps, *[(7, None, False)] * 50]:
            before = reader.positions()
            table = reader.poll(count, 0.0, only)
            assert table.schema == RECORD_SCHEMA and len(table) <= count
            assert len(table) <= 1 or sum(map(len, table["value"].to_pylist())) <= size
            if back:  # what the consumer does with records past a limit
                reader.seek(before)
                assert reader.positions() == before
                continue
            places = (table[name].to_pylist() for name in ("partition", "offset"))
            for partition, offset in zip(*places, strict=True):
                assert only is None or partition in only
                assert offset == left[partition].pop(0)
    assert not any(left.values()) and reader.positions() == reader.end_offsets()


@given(
    partitions=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    count=st.integers(1, 7),
    at_once=st.integers(1, 5),
    most=st.integers(1, 5),
)
def test_no_partition_runs_ahead(partitions: list[int], count: int, at_once: int, most: int) -> None:
    appended: Appended = [(partition, event_time) for event_time, partition in enumerate(partitions)]
    reader = InStep(memory.MemoryReader(a_topic(appended, partitions=4)))
    read: list[int] = []
    with limits(_AT_ONCE=at_once, _MOST=most):
        for _ in appended:  # a poll gives one at least
            read += sorted(event_times(reader.poll(count, 0.0)).tolist())
    assert read == list(range(len(appended)))


def test_of_equal_times_and_of_none_partitions_take_turns() -> None:
    for event_time in (7, None):
        reader = InStep(memory.MemoryReader(a_topic([(n // 50, event_time) for n in range(100)], 2)))
        for _ in range(5):
            got = reader.poll(20, 0.0)["partition"].to_pylist()
            assert (got.count(0), got.count(1)) == (10, 10)


@pytest.mark.parametrize("bad", [2**50, None])
@pytest.mark.parametrize("many", [1, 70])
def test_bad_times_hold_nothing_up(bad: int | None, many: int) -> None:
    """More in a row than are asked for, too."""
    appended: Appended = [(n % 2, n) for n in range(300)]
    appended[10 : 10 + 2 * many : 2] = [(0, bad)] * many
    reader = InStep(memory.MemoryReader(a_topic(appended, partitions=2)))
    for _ in range(20):
        reader.poll(14, 0.0)
    assert min(reader.positions().values()) > 60


def test_what_gives_nothing_is_waited_for_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partition 1 is behind and silent, as when its broker is away."""
    log = memory.MemoryReader(a_topic([(n % 2, n) for n in range(200)], partitions=2))
    plainly, waits = log.poll, []

    def poll(count: int, timeout: float, only: Sequence[int] | None = None) -> pa.Table:
        waits.append(timeout)
        return plainly(count, 0.0, [0] if only is None or 0 in only else [])

    monkeypatch.setattr(log, "poll", poll)
    reader = InStep(log)
    assert sum(len(reader.poll(10, 0.0)) for _ in range(12)) == 100
    assert sum(wait > 0 for wait in waits) <= 2


def test_event_times_of_records_that_are_none() -> None:
    values = [
        None,
        b"",
        b"{",
        b"[1]",
        b"7",
        b"{}",
        *(b'{"event_time": %s}' % v for v in (b"true", b"1.0", b"1e30")),
    ]
    values += [b'{"event_time": %d}' % v for v in (2**53 + 1, -(2**53) - 1)]
    good = [-(2**53), 0, 2**53]
    columns = {name: [0] * (len(values) + 3) for name in ("partition", "offset", "append_time")}
    columns |= {"key": [None] * (len(values) + 3), "value": values + [value(time) for time in good]}
    assert event_times(pa.table(columns, RECORD_SCHEMA)).tolist() == [NO_TIME] * len(values) + good


def test_it_waits_for_a_partition_that_is_behind(logs: Logs) -> None:
    topic = logs.topic("items", partitions=3)
    writer = open_writer(topic, logs.settings)
    writer.append(topic, [(f"key-{number}".encode(), value(number)) for number in range(3_000)])
    writer.close()
    reader = InStep(open_reader(topic, logs.settings))
    read: list[int] = []
    deadline = time.monotonic() + 30
    while len(read) < 3_000:
        assert time.monotonic() < deadline
        read += sorted(event_times(reader.poll(64, 0.0 if read else 5.0)).tolist())
    assert read == list(range(3_000))
    assert reader.positions() == reader.end_offsets()
    reader.close()
