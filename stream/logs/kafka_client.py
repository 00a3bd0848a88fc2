"""Connections to Kafka, what a topic is, and Kafka's errors as sentences."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import kafka.errors
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from shared.errors import CrossfadeError, SourceError, TransientError
from stream.logs.protocol import LogIdentity
from stream.logs.settings import KafkaSettings

BOOTSTRAP_MS = 8000
READY_MS = 30000


class _LastFailure(logging.Handler):
    """Why a connection failed: kafka-python says so in its log alone, and in its error only that it did.

    A handler also keeps Python from printing that log beside our sentence.
    """

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"(?:Connection failed|Connection lost): (.+)", record.getMessage())
        if found:
            self.text = found[1]


_FAILURE = _LastFailure(logging.ERROR)
logging.getLogger("kafka").addHandler(_FAILURE)


@dataclass(frozen=True)
class KafkaTopic:
    """A topic as the cluster knows it. `partitions` ascending."""

    identity: LogIdentity
    partitions: tuple[int, ...]


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments of every kafka-python client."""
    return {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "client_id": "crossfade",
        **settings.options,
    }


@contextmanager
def kafka_errors(settings: KafkaSettings, doing: str) -> Iterator[None]:
    """Turns Kafka's errors into ours. `doing` completes "could not ...", as in "read topic t"."""
    try:
        yield
    except kafka.errors.KafkaError as error:
        raise as_sentence(error, settings, doing) from error


@contextmanager
def connecting(settings: KafkaSettings) -> Iterator[None]:
    """Around the construction of a client. CrossfadeError in about 10 s when no broker answers."""
    _FAILURE.text = ""
    try:
        yield
    except (kafka.errors.KafkaTimeoutError, kafka.errors.KafkaConnectionError) as error:
        raise CrossfadeError(
            f"no Kafka broker answers at {settings.bootstrap_servers} ({_FAILURE.text or error}); start one "
            f"with `crossfade broker start` or set CROSSFADE_BOOTSTRAP_SERVERS."
        ) from error
    except (kafka.errors.KafkaError, OSError, ValueError, AssertionError) as error:
        # A certificate that cannot be read, options that contradict each other.
        raise CrossfadeError(
            f"Kafka at {settings.bootstrap_servers} cannot be used as it is configured: {error}."
        ) from error


def as_sentence(error: Exception, settings: KafkaSettings, doing: str) -> CrossfadeError:
    """The CrossfadeError for an error of Kafka's."""
    where = settings.bootstrap_servers
    match error:
        case kafka.errors.OffsetOutOfRangeError():
            return SourceError(
                f"could not {doing}: the records at the reader's position are no longer in the log "
                f"({error}); rebuild from a newer run or lake."
            )
        case kafka.errors.UnknownTopicOrPartitionError():
            return SourceError(f"could not {doing}: there is no such topic at {where}; create it first.")
        case kafka.errors.MessageSizeTooLargeError() | kafka.errors.RecordListTooLargeError():
            return SourceError(
                f"could not {doing}: a record is larger than the topic's max.message.bytes; raise that limit."
            )
        case kafka.errors.AuthorizationError() | kafka.errors.SaslAuthenticationFailedError():
            return CrossfadeError(f"could not {doing}: Kafka at {where} does not allow it ({error}).")
        case kafka.errors.KafkaError() if error.retriable or "RequestTimedOutError" in str(error):
            # A transaction's request that times out comes as text in an error that says no more.
            return TransientError(f"could not {doing}: Kafka at {where} did not answer in time ({error}).")
        case _:
            return CrossfadeError(f"could not {doing}: Kafka at {where} answered {error}.")


@contextmanager
def admin(settings: KafkaSettings, doing: str) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end. `doing`: see kafka_errors."""
    with connecting(settings):
        client = KafkaAdminClient(**connection(settings))
    try:
        with kafka_errors(settings, doing):
            yield client
    finally:
        client.close()


def describe_topic(name: str, settings: KafkaSettings) -> KafkaTopic:
    """SourceError when there is no such topic."""
    with admin(settings, f"look up the topic {name}") as client:
        topic = _lookup(client, name)
        if topic is None:
            raise SourceError(
                f"there is no topic {name} at {settings.bootstrap_servers}; publish to it first."
            )
        cluster = client.describe_cluster()["cluster_id"]
    partitions = tuple(sorted(p["partition_index"] for p in topic["partitions"]))
    return KafkaTopic(LogIdentity(cluster, str(topic["topic_id"]), name), partitions)


def ensure_topic(
    name: str, settings: KafkaSettings, partitions: int, compacted: bool, append_time: bool
) -> bool:
    """Create the topic unless it is there; True if it was created. An existing one stays as it is."""
    configs = {"cleanup.policy": "compact"} if compacted else {"retention.ms": "-1"}
    if append_time:
        configs["message.timestamp.type"] = "LogAppendTime"
    with admin(settings, f"create the topic {name}") as client:
        if _lookup(client, name) is not None:
            return False
        wanted = {name: {"num_partitions": partitions, "configs": configs}}
        try:
            client.create_topics(wanted, timeout_ms=READY_MS)
        except kafka.errors.TopicAlreadyExistsError:
            return False
        client.wait_for_topics([name], timeout_ms=READY_MS)
    return True


def has_append_times(name: str, settings: KafkaSettings) -> bool:
    """Whether the broker stamps the topic's records itself (LogAppendTime)."""
    describe_topic(name, settings)
    with admin(settings, f"look up the configuration of the topic {name}") as client:
        found = client.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")
    kind: str = found["topic"][name]["message.timestamp.type"]["value"]
    return kind == "LogAppendTime"


def _lookup(client: KafkaAdminClient, name: str) -> dict[str, Any] | None:
    topic: dict[str, Any] = client.describe_topics([name])[0]
    error = kafka.errors.for_code(topic["error_code"])
    if error is kafka.errors.UnknownTopicOrPartitionError:
        return None
    if error is not kafka.errors.NoError:
        raise error()
    return topic
