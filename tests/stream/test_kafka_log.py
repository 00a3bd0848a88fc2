"""What only a real Kafka can show: aborted and open transactions, zombies, and a broker that is away."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from shared.errors import CrossfadeError, SourceError, TransientError
from stream.broker import Broker
from stream.logs import kafka_client, kafka_writer
from stream.logs.kafka_client import has_append_times
from stream.logs.kafka_reader import KafkaReader
from stream.logs.kafka_writer import KafkaTransactionalWriter, KafkaWriter
from stream.logs.open import ensure_topic
from stream.logs.protocol import FencedError, OutMessage, UnknownCommitError
from stream.logs.settings import KafkaSettings
from tests.stream.test_logs import read_all

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka_settings: KafkaSettings) -> str:
    name = f"items-{uuid.uuid4().hex[:8]}"
    ensure_topic(name, kafka_settings, partitions=1, append_time=True)
    return name


def producer(settings: KafkaSettings, transactional_id: str | None = None) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=transactional_id)


def wait_for_end(reader: KafkaReader, offset: int) -> None:
    """The broker answers to the end of a transaction before its marker is in the log."""
    until = time.monotonic() + 60
    while reader.end_offsets() != {0: offset} and time.monotonic() < until:
        time.sleep(0.05)
    assert reader.end_offsets() == {0: offset}


def test_aborted_records_are_never_seen(kafka_settings: KafkaSettings, topic: str) -> None:
    source = producer(kafka_settings, f"t-{topic}")
    source.init_transactions()
    for value, commits in ((b"1", True), (b"no", False), (b"2", True), (b"no", False)):
        source.begin_transaction()
        for _ in range(3):
            source.send(topic, value, b"k", partition=0)
        source.flush()
        if commits:
            source.commit_transaction()
        else:
            source.abort_transaction()
    source.close()
    reader = KafkaReader(topic, kafka_settings)
    # 12 records and 4 markers; the log ends with aborted records and their marker.
    wait_for_end(reader, 16)
    table = read_all(reader, batch=2)
    assert table["value"].to_pylist() == [b"1"] * 3 + [b"2"] * 3
    assert table["offset"].to_pylist() == [0, 1, 2, 8, 9, 10]
    assert reader.positions() == {0: 16}
    reader.seek({0: 4})
    assert [m.value for m in reader.messages_until({0: 16})] == [b"2"] * 3
    reader.close()


def test_an_open_transaction_is_beyond_the_end(kafka_settings: KafkaSettings, topic: str) -> None:
    before, opened = producer(kafka_settings), producer(kafka_settings, f"t-{topic}")
    before.send(topic, b"1", b"k", partition=0)
    before.flush()
    opened.init_transactions()
    opened.begin_transaction()
    opened.send(topic, b"2", b"k", partition=0)
    opened.flush()
    before.send(topic, b"3", b"k", partition=0)
    before.flush()
    reader = KafkaReader(topic, kafka_settings)
    assert reader.end_offsets() == {0: 1}
    assert read_all(reader)["value"].to_pylist() == [b"1"]
    with pytest.raises(SourceError, match="ends at offset 1"):
        list(reader.messages_until({0: 3}))
    opened.abort_transaction()
    wait_for_end(reader, 4)
    assert read_all(reader)["value"].to_pylist() == [b"3"]
    for closing in (before, opened, reader):
        closing.close()


def test_take_over_ends_a_transaction_that_was_left_open(kafka_settings: KafkaSettings, topic: str) -> None:
    first = KafkaTransactionalWriter(topic, "g", kafka_settings)
    first.start()
    dying = first._producer
    assert dying is not None
    dying.begin_transaction()
    dying.send(topic, b"lost", b"k", partition=0)
    dying.flush()
    second = KafkaTransactionalWriter(topic, "g", kafka_settings)
    second.start()
    second.commit([OutMessage(topic, b"k", b"kept")], {0: 7})
    reader = KafkaReader(topic, kafka_settings)
    assert read_all(reader)["value"].to_pylist() == [b"kept"]
    consumer = KafkaConsumer(bootstrap_servers=kafka_settings.bootstrap_servers, group_id="g")
    assert consumer.committed(TopicPartition(topic, 0)) == 7
    for closing in (first, second, reader, consumer):
        closing.close()


def test_a_zombie_in_mid_transaction_does_not_fence_its_successor(
    kafka_settings: KafkaSettings, topic: str
) -> None:
    """kafka-python answers some stale epochs by asking for a new one: that must not take the group back."""
    zombie, successor = (KafkaTransactionalWriter(topic, "g", kafka_settings) for _ in range(2))
    zombie.start()
    inner = zombie._producer
    assert inner is not None
    inner.begin_transaction()
    inner.send(topic, b"zombie", b"k", partition=0)
    inner.flush()
    successor.start()
    inner.send(topic, b"zombie", b"k", partition=0)
    inner.flush()
    with pytest.raises(KafkaError):
        inner.commit_transaction()
    successor.commit([OutMessage(topic, b"k", b"mine")], {0: 1})
    with pytest.raises(FencedError):
        zombie.commit([OutMessage(topic, b"k", b"zombie")], {0: 1})
    successor.commit([OutMessage(topic, b"k", b"mine too")], {0: 2})
    reader = KafkaReader(topic, kafka_settings)
    assert read_all(reader)["value"].to_pylist() == [b"mine", b"mine too"]
    for closing in (zombie, successor, reader):
        closing.close()


def stop(broker: Broker) -> None:
    """Returns when all its threads stand still: the signal takes its time, and until then they answer."""
    os.kill(broker.pid, signal.SIGSTOP)
    for stat in Path(f"/proc/{broker.pid}/task").glob("*/stat"):
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)


@contextmanager
def broker_away(broker: Broker) -> Iterator[None]:
    """The broker stands still: connections stay, nothing answers. Shorter than its own session timeout."""
    stop(broker)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


def test_a_commit_without_an_answer_is_unknown_and_the_next_start_settles_it(
    broker: Broker, kafka_settings: KafkaSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "_STEP_SECONDS", 2.0)
    writer = KafkaTransactionalWriter(topic, "g", kafka_settings)
    writer.start()
    writer.commit([OutMessage(topic, b"k", b"1")], {0: 1})
    producer = writer._producer
    assert producer is not None
    commit = producer.commit_transaction

    def commit_into_silence() -> None:
        stop(broker)
        commit()

    monkeypatch.setattr(producer, "commit_transaction", commit_into_silence)
    try:
        with pytest.raises(UnknownCommitError, match="did not say whether"):
            writer.commit([OutMessage(topic, b"k", b"2")], {0: 2})
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    monkeypatch.undo()
    with pytest.raises(CrossfadeError, match="start it again"):
        writer.commit([], {0: 3})
    writer.start()
    writer.commit([OutMessage(topic, b"k", b"3")], {0: 3})
    reader = KafkaReader(topic, kafka_settings)
    # Whether 2 is there nobody can foretell; whole it is in either case, and no transaction stays open.
    assert read_all(reader)["value"].to_pylist() in ([b"1", b"3"], [b"1", b"2", b"3"])
    writer.close()
    reader.close()


def test_output_that_cannot_be_delivered_is_not_committed(
    broker: Broker, kafka_settings: KafkaSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "_STEP_SECONDS", 2.0)
    short = {"request_timeout_ms": 1000, "delivery_timeout_ms": 1500}
    monkeypatch.setattr(kafka_writer, "_PRODUCER", kafka_writer._PRODUCER | short)
    writer = KafkaTransactionalWriter(topic, "g", kafka_settings)
    writer.start()
    writer.commit([OutMessage(topic, b"k", b"1")], {0: 1})
    with broker_away(broker), pytest.raises(TransientError, match="could not commit output of group g"):
        writer.commit([OutMessage(topic, b"k", b"2")], {0: 2})
    monkeypatch.undo()
    writer.start()
    writer.commit([OutMessage(topic, b"k", b"3")], {0: 2})
    reader = KafkaReader(topic, kafka_settings)
    assert read_all(reader)["value"].to_pylist() == [b"1", b"3"]
    writer.close()
    reader.close()


def test_a_record_that_is_too_large_is_named(kafka_settings: KafkaSettings, topic: str) -> None:
    plain = KafkaWriter(kafka_settings)
    with pytest.raises(SourceError, match=r"larger than the topic's max\.message\.bytes"):
        plain.append(topic, [(b"k", b"x" * (20 << 20))])
    writer = KafkaTransactionalWriter(topic, "g", kafka_settings)
    writer.start()
    with pytest.raises(SourceError, match=r"larger than the topic's max\.message\.bytes"):
        writer.commit([OutMessage(topic, b"k", b"1"), OutMessage(topic, b"k", b"x" * (20 << 20))], {})
    writer.start()
    writer.commit([OutMessage(topic, b"k", b"2")], {})
    reader = KafkaReader(topic, kafka_settings)
    assert read_all(reader)["value"].to_pylist() == [b"2"]
    for closing in (plain, writer, reader):
        closing.close()


def test_times_of_the_producers_are_not_taken_for_the_brokers(kafka_settings: KafkaSettings) -> None:
    name = f"items-{uuid.uuid4().hex[:8]}"
    ensure_topic(name, kafka_settings, partitions=1, append_time=False)
    assert not has_append_times(name, kafka_settings)
    writer, reader = KafkaWriter(kafka_settings), KafkaReader(name, kafka_settings)
    writer.append(name, [(b"k", b"v")])
    assert read_all(reader)["append_time"].to_pylist() == [-1]
    writer.close()
    reader.close()


def test_a_broker_that_is_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "BOOTSTRAP_MS", 1000)
    started = time.monotonic()
    with pytest.raises(CrossfadeError) as raised:
        KafkaReader("items", KafkaSettings("127.0.0.1:1"))
    assert time.monotonic() - started < 5
    assert str(raised.value) == (
        "no Kafka broker answers at 127.0.0.1:1 (KafkaConnectionError: 111 ECONNREFUSED); start one with "
        "`crossfade broker start` or set CROSSFADE_BOOTSTRAP_SERVERS."
    )


def test_a_login_that_the_broker_refuses_is_named(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_client, "BOOTSTRAP_MS", 1000)
    login = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    with pytest.raises(CrossfadeError, match=r"no Kafka broker answers at .* \(.*IllegalSaslState"):
        KafkaReader("items", KafkaSettings(kafka_settings.bootstrap_servers, login))
