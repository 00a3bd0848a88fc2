"""Dead letters of records that are larger than a letter may be: the consumer is never held up by one."""

import json
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from shared.spec import from_dict
from stream.clusters_topic import LETTER_BYTES, REASON, TRUNCATED, OutputTopics, read_clusters
from stream.logs.open import open_reader, open_writer
from stream.logs.protocol import Message
from stream.running import Follower, open_consumer
from tests.conftest import Logs

SPEC = {
    "name": "words",
    "channels": [
        {
            "name": "words",
            "extractor": "text.shingles",
            "parameters": {"size": 1},
            "minhash": {"permutations": 8},
            "bands": {"count": 4, "rows": 2},
            "draws": {"first": 2, "near": 2},
            "match": {"rule": "jaccard", "threshold": "0.5"},
        }
    ],
}
DEFAULT_MESSAGE_BYTES = 1_048_588  # of max.message.bytes


def event(name: str) -> bytes:
    payload = {"text": "the same words"}
    return json.dumps({"id": name, "op": "upsert", "event_time": 1, "payload": payload}).encode()


def consume(logs: Logs, topic: str, folder: Path) -> dict[bytes | None, Message]:
    """Dead letters by key, of a consumer that came to the end and made its clusters."""
    output = logs.address("clusters")
    with open_consumer(from_dict(SPEC), topic, folder, output, logs.settings) as consumer:
        consumer.recover()
        Follower(consumer).to_end()
    reader = open_reader(output, logs.settings)
    assert {name: c["head"] for name, c in read_clusters(reader).items()} == {"a": "a", "b": "a"}
    reader.close()
    dead = open_reader(OutputTopics(output).dead, logs.settings)
    letters = {message.key: message for message in dead.messages_until(dead.end_offsets())}
    dead.close()
    return letters


def test_a_letter_is_the_record_up_to_its_limit(logs: Logs, tmp_path: Path) -> None:
    topic = logs.topic("items", partitions=1)
    writer = open_writer(topic, logs.settings)
    whole, cut = b"\1" * LETTER_BYTES, b"\2" * (LETTER_BYTES + 1)
    writer.append(topic, [(b"k", value) for value in (event("a"), whole, cut, None, b"", event("b"))])
    writer.close()
    letters = consume(logs, topic, tmp_path / "state")
    assert [letters[key].value for key in (b"0:1", b"0:2", b"0:3", b"0:4")] == [whole, cut[:-1], None, b""]
    assert {m.headers[REASON] for m in letters.values()} == {b"not_json"}
    cuts = {key: m.headers[TRUNCATED] for key, m in letters.items() if TRUNCATED in m.headers}
    assert cuts == {b"0:2": str(len(cut)).encode()}


@pytest.mark.kafka
def test_records_beyond_the_limits_of_a_stock_broker(kafka_logs: Logs, tmp_path: Path) -> None:
    """They met the items topic's limit: one just so, the others because their producer compressed them."""
    logs, topic = kafka_logs, kafka_logs.address("items")
    servers = logs.settings.bootstrap_servers
    admin = KafkaAdminClient(bootstrap_servers=servers)
    limit = {"num_partitions": 1, "configs": {"max.message.bytes": str(DEFAULT_MESSAGE_BYTES)}}
    output = OutputTopics(logs.address("clusters"))
    admin.create_topics(dict.fromkeys((topic, output.clusters, output.progress, output.dead), limit))
    admin.wait_for_topics([topic, output.clusters, output.progress, output.dead])
    admin.close()

    plain = KafkaProducer(bootstrap_servers=servers, max_request_size=64 << 20)
    packed = KafkaProducer(bootstrap_servers=servers, max_request_size=64 << 20, compression_type="gzip")
    plain.send(topic, event("a")).get(30)
    at_limit = DEFAULT_MESSAGE_BYTES - 80  # a batch and its record take some of it, a letter's headers more
    plain.send(topic, bytes(at_limit)).get(30)
    for size in (3_000_000, 20_000_000):
        packed.send(topic, bytes(size)).get(30)
    plain.send(topic, event("b")).get(30)
    plain.close()
    packed.close()

    letters = consume(logs, topic, tmp_path / "state")
    assert len(letters) == 3
    for letter, size in zip(letters.values(), (at_limit, 3_000_000, 20_000_000), strict=True):
        assert letter.headers[TRUNCATED] == str(size).encode()
        assert letter.value == bytes(LETTER_BYTES)
