"""From an address to a log: `file:DIR`, `memory:NAME` (this process only, for tests), else a Kafka topic."""

from shared.errors import CrossfadeError
from stream.logs import memory
from stream.logs.file_reader import FileReader
from stream.logs.file_topic import SCHEME, create_topic, open_topic
from stream.logs.file_writer import FileTransactionalWriter, FileWriter
from stream.logs.protocol import LogReader, LogWriter, TransactionalWriter
from stream.logs.settings import KafkaSettings


def open_reader(topic: str, settings: KafkaSettings) -> LogReader:
    """A reader at the log's beginning. SourceError: no such topic. CrossfadeError: no broker."""
    if topic.startswith(SCHEME):
        return FileReader(topic)
    if topic.startswith(memory.SCHEME):
        return memory.MemoryReader(topic)
    from stream.logs.kafka_reader import KafkaReader

    return KafkaReader(topic, settings)


def open_writer(topic: str, settings: KafkaSettings) -> LogWriter:
    """A writer for plain appends to topics of this address's kind."""
    if topic.startswith(SCHEME):
        return FileWriter()
    if topic.startswith(memory.SCHEME):
        return memory.MemoryWriter()
    from stream.logs.kafka_writer import KafkaWriter

    return KafkaWriter(settings)


def open_transactional_writer(source: str, group: str, settings: KafkaSettings) -> TransactionalWriter:
    """The one writer of `group` on the topic `source`; its output topics must be of the same kind.

    It must be started before its first commit.
    """
    if source.startswith(SCHEME):
        return FileTransactionalWriter(source, group)
    if source.startswith(memory.SCHEME):
        return memory.MemoryTransactionalWriter(source, group)
    from stream.logs.kafka_writer import KafkaTransactionalWriter

    return KafkaTransactionalWriter(source, group, settings)


def check_same_kind(source: str, outputs: list[str]) -> None:
    """CrossfadeError unless one transaction can span these topics."""
    for output in outputs:
        if _kind(output) != _kind(source):
            raise CrossfadeError(
                f"the topics {source} and {output} are of different kinds, so no transaction spans both; "
                f"use Kafka topics for both, or file:DIR for both (--topic and --output)."
            )


def ensure_topic(
    topic: str,
    settings: KafkaSettings,
    *,
    partitions: int,
    compacted: bool = False,
    append_time: bool = False,
) -> bool:
    """Create the topic unless it is there; True if it was created. An existing one stays as it is.

    `append_time`: the broker stamps records (file and memory logs always do). Topics that are not
    compacted keep their records for ever.
    """
    if topic.startswith(SCHEME):
        return create_topic(topic, partitions)
    if topic.startswith(memory.SCHEME):
        return memory.create_topic(topic, partitions)
    from stream.logs import kafka_client

    return kafka_client.ensure_topic(topic, settings, partitions, compacted, append_time)


def append_times_are_the_brokers(topic: str, settings: KafkaSettings) -> bool:
    """Whether append_time is the log's own clock, which max_skew and max_lateness require."""
    if topic.startswith(SCHEME):
        open_topic(topic)
        return True
    if topic.startswith(memory.SCHEME):
        return True
    from stream.logs import kafka_client

    return kafka_client.has_append_times(topic, settings)


def _kind(topic: str) -> str:
    return next((scheme for scheme in (SCHEME, memory.SCHEME) if topic.startswith(scheme)), "kafka")
