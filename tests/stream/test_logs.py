"""What every event log must do: one body for memory, files and a real Kafka."""

import time
from random import Random

import pyarrow as pa
import pytest
from kafka.partitioner import murmur2

from shared.errors import CrossfadeError, SourceError
from shared.records import RECORD_SCHEMA
from stream.logs.in_step import InStep
from stream.logs.open import (
    append_times_are_the_brokers,
    check_same_kind,
    ensure_topic,
    open_reader,
    open_transactional_writer,
    open_writer,
)
from stream.logs.protocol import FencedError, LogReader, OutMessage
from tests.conftest import Logs


@pytest.fixture(autouse=True, params=["as it is", "in step"])
def how_it_is_read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reader here is also one whose partitions go in step."""
    plainly = open_reader
    if request.param == "in step":
        monkeypatch.setitem(globals(), "open_reader", lambda topic, known: InStep(plainly(topic, known)))


RECORDS: list[tuple[bytes, bytes | None]] = [(f"key-{i}".encode(), f"value-{i}".encode()) for i in range(100)]


def read_all(reader: LogReader, batch: int = 30) -> pa.Table:
    ends = reader.end_offsets()
    tables = []
    deadline = time.monotonic() + 20
    while reader.positions() != ends:
        tables.append(reader.poll(batch, 1.0))
        assert time.monotonic() < deadline, f"{reader.positions()} never reached {ends}"
    return pa.concat_tables(tables) if tables else RECORD_SCHEMA.empty_table()


def append(logs: Logs, topic: str, records: list[tuple[bytes, bytes | None]]) -> dict[int, int]:
    writer = open_writer(topic, logs.settings)
    try:
        return writer.append(topic, iter(records))
    finally:
        writer.close()


def test_reads_back_what_was_appended(logs: Logs) -> None:
    topic = logs.topic("items", partitions=3)
    before = time.time_ns() // 1_000_000
    counts = append(logs, topic, [*RECORDS, (b"key-0", None)])
    reader = open_reader(topic, logs.settings)
    assert sum(counts.values()) == len(RECORDS) + 1
    assert reader.end_offsets() == counts
    assert reader.partitions == (0, 1, 2)
    table = read_all(reader)
    assert table.schema == RECORD_SCHEMA
    rows = table.to_pylist()
    expected = [(key, value) for key, value in [*RECORDS, (b"key-0", None)]]
    for partition in range(3):
        mine = [row for row in rows if row["partition"] == partition]
        assert [row["offset"] for row in mine] == list(range(counts[partition]))
        # Kafka's own partitioner, so that publishers written in Java put an id in the same place.
        wanted = [pair for pair in expected if (murmur2(pair[0]) & 0x7FFFFFFF) % 3 == partition]
        assert [(row["key"], row["value"]) for row in mine] == wanted
    assert all(before - 1000 <= row["append_time"] <= time.time_ns() // 1_000_000 + 1000 for row in rows)
    assert append_times_are_the_brokers(topic, logs.settings)
    reader.close()


def test_an_empty_topic_gives_nothing_in_time(logs: Logs) -> None:
    reader = open_reader(logs.topic("items"), logs.settings)
    started = time.monotonic()
    assert len(reader.poll(10, 0.2)) == 0
    assert time.monotonic() - started < 2
    assert reader.positions() == reader.end_offsets() == {0: 0, 1: 0}
    assert list(reader.messages_until({0: 0})) == []
    reader.close()


def test_poll_keeps_to_its_limits(logs: Logs) -> None:
    topic = logs.topic("items")
    counts = append(logs, topic, RECORDS)
    reader = open_reader(topic, logs.settings)
    assert len(reader.poll(7, 5.0)) == 7
    assert sum(reader.positions().values()) == 7
    reader.seek({0: 0, 1: 0})
    got = 0
    while got < counts[1]:
        table = reader.poll(10, 5.0, only=[1])
        assert set(table["partition"].to_pylist()) == {1}
        got += len(table)
    assert reader.positions() == {0: 0, 1: counts[1]}
    # A paused partition's records come as soon as it is no longer paused.
    assert set(reader.poll(1000, 5.0)["partition"].to_pylist()) == {0}
    reader.close()


def test_seek_continues_at_the_offset(logs: Logs) -> None:
    topic = logs.topic("items", partitions=1)
    append(logs, topic, RECORDS)
    reader = open_reader(topic, logs.settings)
    read_all(reader)
    reader.seek({0: 42})
    assert read_all(reader)["offset"].to_pylist() == list(range(42, 100))
    with pytest.raises(SourceError, match="has no partition 7"):
        reader.seek({7: 0})
    reader.close()


def test_a_position_past_the_log_is_an_error(logs: Logs) -> None:
    topic = logs.topic("items", partitions=1)
    append(logs, topic, RECORDS)
    reader = open_reader(topic, logs.settings)
    reader.seek({0: 1000})
    with pytest.raises(SourceError):
        for _ in range(20):
            reader.poll(10, 1.0)
    reader.close()


def test_a_reader_sees_what_comes_later(logs: Logs) -> None:
    topic = logs.topic("items", partitions=1)
    append(logs, topic, RECORDS[:10])
    reader = open_reader(topic, logs.settings)
    read_all(reader)
    append(logs, topic, RECORDS[10:20])
    assert [row["key"] for row in read_all(reader).to_pylist()] == [key for key, _ in RECORDS[10:20]]
    reader.close()


def test_a_transaction_spans_topics_and_its_markers_are_stepped_over(logs: Logs) -> None:
    source, clusters, progress = logs.topic("items"), logs.topic("c", 2, True), logs.topic("p", 1, True)
    writer = open_transactional_writer(source, "g", logs.settings)
    writer.start()
    for round_ in range(3):
        out = [
            OutMessage(clusters, f"{round_}-{i}".encode(), b"v" if i % 2 else None, {"contract": b"\x01"})
            for i in range(20)
        ]
        writer.commit([*out, OutMessage(progress, b"g", str(round_).encode())], {0: round_, 1: 5})
    writer.close()
    reader = open_reader(clusters, logs.settings)
    ends = reader.end_offsets()
    messages = list(reader.messages_until(ends))
    assert len(messages) == 60
    assert {message.headers["contract"] for message in messages} == {b"\x01"}
    assert sum(message.value is None for message in messages) == 30
    assert [m.key for m in messages if m.partition == 0] == [
        f"{r}-{i}".encode()
        for r in range(3)
        for i in range(20)
        if (murmur2(f"{r}-{i}".encode()) & 0x7FFFFFFF) % 2 == 0
    ]
    # The last offset is a marker in Kafka; a fence there must be reached all the same.
    assert reader.positions() == ends == reader.end_offsets()
    assert reader.identity.fence(ends).reached(reader.positions())
    reader.close()
    side = open_reader(progress, logs.settings)
    assert [m.value for m in side.messages_until(side.end_offsets())] == [b"0", b"1", b"2"]
    assert read_all(side).num_rows == 0
    side.seek({0: 0})
    assert read_all(side)["value"].to_pylist() == [b"0", b"1", b"2"]
    side.close()


def test_a_poll_that_only_steps_over_a_marker_returns_at_once(logs: Logs) -> None:
    source, out = logs.topic("items"), logs.topic("out", 1)
    writer = open_transactional_writer(source, "g", logs.settings)
    writer.start()
    writer.commit([OutMessage(out, b"k", b"v")], {0: 1})
    writer.close()
    reader = open_reader(out, logs.settings)
    assert len(reader.poll(1, 5.0)) == 1
    started = time.monotonic()
    while reader.positions() != reader.end_offsets():
        assert len(reader.poll(1, 30.0)) == 0
    assert time.monotonic() - started < 5
    reader.close()


def test_a_second_writer_fences_the_first(logs: Logs) -> None:
    source, out = logs.topic("items"), logs.topic("out", 1)
    first = open_transactional_writer(source, "g", logs.settings)
    other_group = open_transactional_writer(source, "other", logs.settings)
    second = open_transactional_writer(source, "g", logs.settings)
    first.start()
    other_group.start()
    first.commit([OutMessage(out, b"k", b"1")], {0: 1})
    second.start()
    with pytest.raises(FencedError, match="another consumer of group g"):
        first.commit([OutMessage(out, b"k", b"zombie")], {0: 2})
    second.commit([OutMessage(out, b"k", b"2")], {0: 2})
    with pytest.raises(CrossfadeError, match="start it again"):
        first.commit([OutMessage(out, b"k", b"zombie")], {0: 2})
    second.commit([OutMessage(out, b"k", b"3")], {0: 3})
    other_group.commit([OutMessage(out, b"k", b"4")], {0: 3})
    reader = open_reader(out, logs.settings)
    assert [m.value for m in reader.messages_until(reader.end_offsets())] == [b"1", b"2", b"3", b"4"]
    for closing in (first, second, other_group, reader):
        closing.close()


def test_a_commit_to_a_missing_topic_commits_nothing(logs: Logs) -> None:
    source, out = logs.topic("items"), logs.topic("out", 1)
    writer = open_transactional_writer(source, "g", logs.settings)
    with pytest.raises(CrossfadeError, match="not started"):
        writer.commit([OutMessage(out, b"k", b"v")], {0: 1})
    writer.start()
    with pytest.raises(SourceError, match="no topic"):
        writer.commit([OutMessage(out, b"k", b"v"), OutMessage(logs.address("none"), b"k", b"v")], {0: 1})
    writer.start()
    writer.commit([OutMessage(out, b"k", b"w")], {0: 1})
    writer.commit([], {0: 2})
    writer.close()
    reader = open_reader(out, logs.settings)
    assert [m.value for m in reader.messages_until(reader.end_offsets())] == [b"w"]
    reader.close()


def test_missing_topics_are_named(logs: Logs) -> None:
    missing = logs.address("missing")
    for call in (
        lambda: open_reader(missing, logs.settings),
        lambda: open_transactional_writer(missing, "g", logs.settings),
        lambda: append(logs, missing, RECORDS),
    ):
        with pytest.raises(SourceError, match=r"there is no topic .*missing"):
            call()


def test_ensure_topic_makes_a_topic_once(logs: Logs) -> None:
    topic = logs.topic("items", partitions=3)
    reader = open_reader(topic, logs.settings)
    assert not ensure_topic(topic, logs.settings, partitions=9)
    again = open_reader(topic, logs.settings)
    assert again.identity == reader.identity
    assert again.partitions == (0, 1, 2)
    other = open_reader(logs.topic("others"), logs.settings)
    assert other.identity.topic_id != reader.identity.topic_id
    for closing in (reader, again, other):
        closing.close()


def test_messages_until_refuses_what_is_not_there(logs: Logs) -> None:
    topic = logs.topic("items", partitions=1)
    append(logs, topic, RECORDS)
    reader = open_reader(topic, logs.settings)
    with pytest.raises(SourceError, match="ends at offset 100, before 101"):
        list(reader.messages_until({0: 101}))
    assert [m.offset for m in reader.messages_until({0: 10})] == list(range(10))
    reader.seek({0: 10})
    assert [m.offset for m in reader.messages_until({0: 12})] == [10, 11]
    reader.close()


def test_one_transaction_is_of_one_kind() -> None:
    check_same_kind("file:/a", ["file:/b"])
    with pytest.raises(CrossfadeError, match="different kinds"):
        check_same_kind("items", ["file:/b"])


def test_any_order_of_polls_and_seeks_gives_each_partition_in_order(logs: Logs) -> None:
    """Random limits, partitions and seeks over a log with markers: never a gap, a repeat or a stall."""
    random = Random(7)
    source, topic = logs.topic("source"), logs.topic("items", partitions=3)
    writer = open_transactional_writer(source, "g", logs.settings)
    writer.start()
    for round_ in range(6):
        append(logs, topic, [(b"p%d" % (i % 50), b"%d" % i) for i in range(40)])
        writer.commit([OutMessage(topic, b"t%d" % i, b"%d" % round_) for i in range(20)], {0: round_})
    writer.close()
    reader = open_reader(topic, logs.settings)
    table = read_all(reader)
    ends = reader.end_offsets()
    offsets = {p: [r["offset"] for r in table.to_pylist() if r["partition"] == p] for p in range(3)}
    # expected[p]: how many of the partition's records have been read
    expected, idle = dict.fromkeys(range(3), 0), 0
    reader.seek(dict.fromkeys(range(3), 0))
    for _ in range(150):
        if random.random() < 0.1:
            partition = random.randrange(3)
            expected[partition] = random.randrange(len(offsets[partition]))
            reader.seek({partition: offsets[partition][expected[partition]]})
        only = random.sample(range(3), random.randint(1, 3)) if random.random() < 0.7 else None
        left = any(expected[p] < len(offsets[p]) for p in (only or range(3)))
        got = reader.poll(random.choice([1, 5, 40]), 5.0 if left else 0.0, only).to_pylist()
        for partition in range(3):
            mine = [row["offset"] for row in got if row["partition"] == partition]
            assert mine == offsets[partition][expected[partition] :][: len(mine)]
            assert not mine or only is None or partition in only
            expected[partition] += len(mine)
        idle = 0 if got or not left else idle + 1
        assert idle < 3, f"no records although some are left, at {reader.positions()}"
    read_all(reader)
    assert reader.positions() == ends
    reader.close()
