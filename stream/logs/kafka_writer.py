"""Appending to Kafka: plainly (idempotent producer), or output and source offsets in one transaction."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

import kafka.errors
from kafka import KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from shared.errors import CrossfadeError, TransientError
from stream.logs.kafka_client import as_sentence, connecting, connection, describe_topic, kafka_errors
from stream.logs.partitioner import partitions_of
from stream.logs.protocol import FencedError, OutMessage, UnknownCommitError
from stream.logs.settings import KafkaSettings

_CHUNK = 10_000
_DELIVERY_SECONDS = 60.0
# Beyond the delivery timeout, so that the producer's own verdict comes first.
_STEP_SECONDS = _DELIVERY_SECONDS + 15.0
_FENCED = (kafka.errors.ProducerFencedError, kafka.errors.InvalidProducerEpochError)
_PRODUCER = {
    "batch_size": 256 << 10,
    "linger_ms": 5,
    "max_request_size": 16 << 20,
    "max_block_ms": 30_000,
    "request_timeout_ms": 15_000,
    "delivery_timeout_ms": int(_DELIVERY_SECONDS * 1000),
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}


class KafkaWriter:
    """See LogWriter."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._counts: dict[str, int] = {}
        with connecting(settings):
            self._producer = KafkaProducer(**connection(settings), **_PRODUCER)

    def append(self, topic: str, messages: Iterable[tuple[bytes, bytes | None]]) -> dict[int, int]:
        count = _partition_count(topic, self._settings, self._counts)
        appended = dict.fromkeys(range(count), 0)
        left = iter(messages)
        with kafka_errors(self._settings, f"append to the topic {topic}"):
            # The producer's buffer has no bound of its own: a chunk is delivered before the next is taken.
            while chunk := list(islice(left, _CHUNK)):
                partitions = partitions_of([key for key, _ in chunk], count)
                futures = [
                    self._producer.send(topic, value=value, key=key, partition=partition)
                    for (key, value), partition in zip(chunk, partitions, strict=True)
                ]
                self._producer.flush()
                for future, partition in zip(futures, partitions, strict=True):
                    future.get(timeout=0)
                    appended[partition] += 1
        return appended

    def close(self) -> None:
        self._producer.close(timeout=_STEP_SECONDS)


class KafkaTransactionalWriter:
    """See TransactionalWriter. transactional.id = crossfade-{cluster}-{topic id}-{group}."""

    def __init__(self, source: str, group: str, settings: KafkaSettings) -> None:
        identity = describe_topic(source, settings).identity
        self._source = source
        self._group = group
        self._settings = settings
        self._transactional_id = f"crossfade-{identity.cluster}-{identity.topic_id}-{group}"
        self._counts: dict[str, int] = {}
        self._producer: KafkaProducer | None = None

    def start(self) -> None:
        self.close()
        with connecting(self._settings):
            producer = KafkaProducer(
                **connection(self._settings), **_PRODUCER, transactional_id=self._transactional_id
            )
        with kafka_errors(self._settings, f"take over the consumer group {self._group}"):
            producer.init_transactions()
        self._producer = producer

    def commit(self, messages: Sequence[OutMessage], source_offsets: Mapping[int, int]) -> None:
        if self._producer is None:
            raise CrossfadeError("the transactional writer was not started, or failed; start it again.")
        producer = self._producer
        by_topic: dict[str, list[OutMessage]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        for topic in by_topic:
            # Before the transaction: a topic that is missing is no reason to lose the producer.
            _partition_count(topic, self._settings, self._counts)
        try:
            self._send(producer, by_topic, source_offsets)
        except (kafka.errors.KafkaError, TimeoutError) as error:
            raise self._aborted(producer, error) from error
        try:
            _bounded(producer.commit_transaction)
        except (kafka.errors.KafkaError, TimeoutError) as error:
            self._discard()
            if _is_fenced(producer, error):
                raise self._fenced() from error
            raise UnknownCommitError(
                f"Kafka at {self._settings.bootstrap_servers} did not say whether the last transaction of "
                f"group {self._group} was committed ({error}); start again, which finds out."
            ) from error

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=_STEP_SECONDS)
            self._producer = None

    def _send(
        self,
        producer: KafkaProducer,
        by_topic: Mapping[str, Sequence[OutMessage]],
        source_offsets: Mapping[int, int],
    ) -> None:
        producer.begin_transaction()
        futures = [
            producer.send(message.topic, message.value, message.key, list(message.headers.items()), partition)
            for topic, group in by_topic.items()
            for message, partition in zip(group, self._partitions(topic, group), strict=True)
        ]
        producer.flush(timeout=_STEP_SECONDS)
        # A commit with an undelivered batch could lose it: every record is known to be there first.
        for future in futures:
            future.get(timeout=0)
        if source_offsets:
            offsets = {
                TopicPartition(self._source, partition): OffsetAndMetadata(offset, "", -1)
                for partition, offset in source_offsets.items()
            }
            _bounded(lambda: producer.send_offsets_to_transaction(offsets, self._group))

    def _partitions(self, topic: str, messages: Sequence[OutMessage]) -> list[int]:
        return partitions_of([message.key for message in messages], self._counts[topic])

    def _aborted(self, producer: KafkaProducer, error: Exception) -> CrossfadeError:
        """The error to raise for a transaction that was not asked to commit. It is given up."""
        fenced = _is_fenced(producer, error)
        if not fenced:
            # Where the abort fails too, the broker aborts at the next start or at the transaction's timeout.
            with suppress(kafka.errors.KafkaError, TimeoutError):
                _bounded(producer.abort_transaction)
        self._discard()
        if fenced:
            return self._fenced()
        doing = f"commit output of group {self._group}"
        if isinstance(error, TimeoutError):
            return TransientError(f"could not {doing}: Kafka did not answer in time; nothing was committed.")
        return as_sentence(error, self._settings, doing)

    def _fenced(self) -> FencedError:
        return FencedError(
            f"another consumer of group {self._group} on topic {self._source} took over (or this one stalled "
            f"in a commit for longer than the transaction timeout); this one ends."
        )

    def _discard(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=0)


def _partition_count(topic: str, settings: KafkaSettings, known: dict[str, int]) -> int:
    if topic not in known:
        known[topic] = len(describe_topic(topic, settings).partitions)
    return known[topic]


def _is_fenced(producer: KafkaProducer, error: Exception) -> bool:
    # After a fatal error kafka-python wraps its cause in text; the cause itself is kept here.
    return isinstance(error, _FENCED) or isinstance(producer._transaction_manager.last_error, _FENCED)


def _bounded(call: Callable[[], object]) -> None:
    """kafka-python waits for ever for a broker that went away; this raises TimeoutError."""
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    if not done.wait(_STEP_SECONDS):
        raise TimeoutError
    if errors:
        raise errors[0]
