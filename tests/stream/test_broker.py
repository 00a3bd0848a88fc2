"""The local broker: it outlives its starter, keeps its data, and is never mistaken for another process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import CrossfadeError
from stream import broker as local_broker
from stream import kafka_jars
from stream.broker import Broker
from stream.logs.open import ensure_topic, open_reader
from stream.logs.settings import KafkaSettings


def crossfade(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from cli.main import main; main()", "broker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.kafka
def test_it_outlives_its_starter_and_keeps_its_data(broker: Broker, tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    assert crossfade("status", *data).returncode == 1
    started = crossfade("start", "--port", "0", *data)
    assert started.returncode == 0, started.stderr
    try:
        running = local_broker.status(tmp_path)
        assert running is not None
        assert running.bootstrap_servers in started.stdout
        assert running.pid != broker.pid
        assert os.getsid(running.pid) == running.pid
        settings = KafkaSettings(running.bootstrap_servers)
        assert ensure_topic("items", settings, partitions=2)
        identity = open_reader("items", settings).identity
        # A second start finds the first.
        assert local_broker.start(tmp_path) == running
        assert crossfade("stop", *data).stdout == f"stopped the broker at {running.bootstrap_servers}\n"
        assert local_broker.status(tmp_path) is None
        again = local_broker.start(tmp_path)
        assert open_reader("items", KafkaSettings(again.bootstrap_servers)).identity == identity
        assert crossfade("status", *data).returncode == 0
    finally:
        local_broker.stop(tmp_path)
    assert crossfade("stop", *data).stdout == f"no broker runs on {tmp_path}\n"


def test_another_process_under_its_pid_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        state = {"pid": other.pid, "bootstrap_servers": "127.0.0.1:1", "data": str(tmp_path)}
        (tmp_path / "broker.json").write_text(json.dumps(state))
        assert local_broker.status(tmp_path) is None
        assert local_broker.stop(tmp_path) is None
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.kafka
def test_a_broker_is_not_that_of_another_folder(broker: Broker, tmp_path: Path) -> None:
    state = {"pid": broker.pid, "bootstrap_servers": broker.bootstrap_servers, "data": str(tmp_path)}
    (tmp_path / "broker.json").write_text(json.dumps(state))
    assert local_broker.stop(tmp_path) is None
    assert local_broker.status(Path(broker.data)) == broker


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CrossfadeError, match=f"port {port} is in use"):
            local_broker.start(tmp_path, port)


@pytest.mark.kafka
def test_a_broker_that_cannot_start_says_why(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=7\n")
    with pytest.raises(CrossfadeError, match=r"ended while it started \(.*7.*see .*server\.log"):
        local_broker.start(tmp_path)
    assert local_broker.status(tmp_path) is None


def test_without_java_or_maven_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(CrossfadeError, match="Java is not installed"):
        local_broker.start(tmp_path / "broker")
    with pytest.raises(CrossfadeError, match=r"Maven \(mvn\) is not installed"):
        kafka_jars.kafka_jars()


def test_what_maven_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "mvn"
    fake.write_text("#!/bin/sh\necho '[ERROR] the network is unreachable'\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(CrossfadeError, match=r"could not fetch Apache Kafka .*the network is unreachable"):
        kafka_jars.kafka_jars()
    assert list((tmp_path / "cache").iterdir()) == []
