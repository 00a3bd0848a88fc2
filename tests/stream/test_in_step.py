"""Partitions in step: nothing is lost, doubled or out of order, and no partition runs ahead of another."""

from uuid import uuid4

import orjson
import pyarrow as pa
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
    address = f"memory:in-step-{uuid4()}"
    memory.create_topic(address, partitions)
    for number, (partition, event_time) in enumerate(appended):
        record = memory._Record(number, b"key", value(event_time), {})
        memory._TOPICS[address].logs[partition].append(record)
    return address


def rows(table: pa.Table) -> list[tuple[int, int]]:
    assert table.schema == RECORD_SCHEMA
    return list(zip(table["partition"].to_pylist(), table["offset"].to_pylist(), strict=True))


@given(
    appended=st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(-1, 20)), max_size=40),
    steps=st.lists(
        st.tuples(st.integers(1, 9), st.none() | st.sets(st.integers(0, 2)), st.booleans()), max_size=12
    ),
)
def test_every_record_once_in_order_whatever_is_asked(
    appended: Appended, steps: list[tuple[int, set[int] | None, bool]]
) -> None:
    reader = InStep(memory.MemoryReader(a_topic(appended, partitions=3)))
    expected = dict.fromkeys(reader.partitions, 0)
    for count, only, back in [*steps, *[(7, None, False)] * 12]:
        got = rows(reader.poll(count, 0.0, only))
        assert len(got) <= count
        at = dict(expected)
        for partition, offset in got:
            assert only is None or partition in only
            assert offset == at[partition]
            at[partition] += 1
        assert reader.positions() == at
        if back:  # what the consumer does with records that do not fit its batch
            reader.seek(expected)
            assert reader.positions() == expected
        else:
            expected = at
    assert expected == reader.end_offsets()


@given(
    partitions=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    count=st.integers(1, 7),
    most=st.integers(1, 5),
)
def test_no_partition_runs_ahead(partitions: list[int], count: int, most: int) -> None:
    appended: Appended = [(partition, event_time) for event_time, partition in enumerate(partitions)]
    reader = InStep(memory.MemoryReader(a_topic(appended, partitions=4)))
    in_step._AT_ONCE, before = most, in_step._AT_ONCE
    try:
        read: list[int] = []
        while len(read) < len(appended):
            read += sorted(event_times(reader.poll(count, 0.0)).tolist())
    finally:
        in_step._AT_ONCE = before
    assert read == list(range(len(appended)))


def test_of_equal_times_and_of_none_partitions_take_turns() -> None:
    for event_time in (7, None):
        reader = InStep(memory.MemoryReader(a_topic([(n // 50, event_time) for n in range(100)], 2)))
        for _ in range(5):
            got = reader.poll(20, 0.0)["partition"].to_pylist()
            assert (got.count(0), got.count(1)) == (10, 10)


def test_a_time_in_the_far_future_holds_nothing_up() -> None:
    appended = [(n % 2, n) for n in range(100)]
    appended[10] = (0, 2**50)
    reader = InStep(memory.MemoryReader(a_topic(appended, partitions=2)))
    for _ in range(5):
        got = reader.poll(20, 0.0)["partition"].to_pylist()
        assert abs(got.count(0) - got.count(1)) <= 2


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
    while len(read) < 3_000:
        read += sorted(event_times(reader.poll(64, 0.0 if read else 5.0)).tolist())
    assert read == list(range(3_000))
    assert reader.positions() == reader.end_offsets()
    reader.close()
