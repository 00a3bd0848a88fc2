"""Fixtures for the whole suite: one Kafka broker a session, and every kind of event log."""

import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from pyspark.sql import SparkSession

from batch.session import start as start_spark
from shared.errors import CrossfadeError
from stream import broker as local_broker
from stream.kafka_jars import java_command, kafka_jars
from stream.logs.open import ensure_topic
from stream.logs.settings import KafkaSettings

# Whoever starts the tests in the background may have SIGINT ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Short-lived Javas: to compile everything twice takes a quarter of the processor time of all Spark tests.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

hypothesis_settings.register_profile("quick", max_examples=200, deadline=None)
hypothesis_settings.register_profile("deep", max_examples=2_000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("CROSSFADE_TEST_PROFILE", "quick"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local_broker.Broker]:
    """A real broker on free ports; skipped only where Java or Maven cannot give one."""
    try:
        java_command()
        kafka_jars()
    except CrossfadeError as error:
        pytest.skip(str(error))
    data = tmp_path_factory.mktemp("broker")
    yield local_broker.start(data)
    local_broker.stop(data)


@pytest.fixture(scope="session")
def kafka_settings(broker: local_broker.Broker) -> KafkaSettings:
    return KafkaSettings(broker.bootstrap_servers)


@dataclass(frozen=True)
class Logs:
    """One kind of log, with topics that nobody else uses."""

    kind: str
    settings: KafkaSettings
    folder: Path

    def address(self, name: str) -> str:
        if self.kind == "file":
            return f"file:{self.folder / name}"
        unique = f"{name}-{uuid.uuid5(uuid.NAMESPACE_URL, str(self.folder)).hex[:12]}"
        return f"memory:{unique}" if self.kind == "memory" else unique

    def topic(self, name: str, partitions: int = 2, compacted: bool = False) -> str:
        """The address of a new topic."""
        address = self.address(name)
        assert ensure_topic(
            address,
            self.settings,
            partitions=partitions,
            compacted=compacted,
            append_time=not compacted,
        )
        return address


@pytest.fixture(params=["memory", "file", pytest.param("kafka", marks=pytest.mark.kafka)])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Logs:
    """Every test that takes this runs on memory, files and Kafka."""
    kind: str = request.param
    settings = request.getfixturevalue("kafka_settings") if kind == "kafka" else KafkaSettings()
    return Logs(kind, settings, tmp_path)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One Spark on two cores for the whole suite; tests may change its runtime settings."""
    session = start_spark("local[2]", {"spark.driver.memory": "1g"})
    yield session
    session.stop()


@pytest.fixture
def kafka_logs(kafka_settings: KafkaSettings, tmp_path: Path) -> Logs:
    """Kafka alone, for what no other log does."""
    return Logs("kafka", kafka_settings, tmp_path)
