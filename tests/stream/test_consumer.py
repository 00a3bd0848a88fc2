"""The consumer on every kind of log: it ends as the oracle says, and starts again wherever it was killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.contract import contract_id
from shared.errors import ContractError, SourceError
from shared.spec import from_dict
from stream.clusters_topic import OutputTopics, read_clusters
from stream.consumer import Consumer
from stream.export import export, state_fence
from stream.logs.open import open_reader, open_writer
from stream.logs.settings import KafkaSettings
from stream.running import follow, open_consumer
from stream.stores import open_store
from tests.conftest import Logs
from tests.engines import read_state
from tests.histories import History, random_history
from tests.oracle import Expected, expect

ROOT = Path(__file__).parents[2]


def a_history(seed: int = 3, longest: int = 60) -> History:
    """One without time limits: this log stamps its own append times."""
    while "times" in (history := random_history(seed, longest)).spec and history.spec["times"]:
        seed += 1
    return history


def publish(logs: Logs, history: History, name: str = "items") -> tuple[str, Expected]:
    """The items topic with the history's values, and what follows from it as it lies in the log."""
    topic = logs.topic(name)
    writer = open_writer(topic, logs.settings)
    writer.append(topic, [(f"{n % 7}".encode(), value) for n, (*_, value) in enumerate(history.records)])
    writer.close()
    return topic, expect(history.spec, read_log(logs, topic))


def read_log(logs: Logs, topic: str) -> list[tuple[int, int, int, bytes | None]]:
    reader = open_reader(topic, logs.settings)
    found: list[tuple[int, int, int, bytes | None]] = []
    while reader.positions() != reader.end_offsets():
        for row in reader.poll(1000, 5.0).to_pylist():
            found.append((row["partition"], row["offset"], row["append_time"], row["value"]))
    reader.close()
    return found


@contextmanager
def consumer(
    logs: Logs, spec: dict[str, Any], topic: str, folder: Path, batch_size: int = 7
) -> Iterator[Consumer]:
    output = logs.address("clusters")
    with open_consumer(from_dict(spec), topic, folder, output, logs.settings, batch_size) as opened:
        yield opened


def check(logs: Logs, history: History, expected: Expected, folder: Path, *, sent_once: bool = True) -> None:
    """State, run and output topic all say what the oracle says."""
    spec = from_dict(history.spec)
    store = open_store(folder, create=False)
    found = read_state(store, spec)
    store.close()
    assert (found.items, found.edges, found.clusters, found.dead) == (
        expected.items,
        expected.edges,
        expected.clusters,
        expected.dead,
    )
    reader = open_reader(logs.address("clusters"), logs.settings)
    clusters = read_clusters(reader, spec)
    told = {
        item: (c["head"], c.get("channel", ""), c.get("numerator", 0), c.get("denominator", 0))
        for item, c in clusters.items()
    }
    assert told == expected.clusters
    reader.seek(dict.fromkeys(reader.partitions, 0))
    last: dict[bytes | None, Any] = {}
    for message in reader.messages_until(reader.end_offsets()):
        said = message.value and {k: v for k, v in json.loads(message.value).items() if k != "kind"}
        assert not sent_once or last.get(message.key) != said, f"{message.key!r} was said twice"
        last[message.key] = said
    reader.close()
    dead = open_reader(OutputTopics(logs.address("clusters")).dead, logs.settings)
    letters = [(m.key, m.headers["crossfade-reason"]) for m in dead.messages_until(dead.end_offsets())]
    dead.close()
    assert sorted(letters) == sorted((f"{p}:{o}".encode(), r.encode()) for (p, o), r in expected.dead.items())


def test_a_consumer_ends_as_the_oracle_says(logs: Logs, tmp_path: Path) -> None:
    history = a_history()
    topic, expected = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        assert running.recover() == "started"
        follow(running, until_end=True)
    check(logs, history, expected, tmp_path / "state")


def test_a_stopped_consumer_goes_on(logs: Logs, tmp_path: Path) -> None:
    history = a_history(30)
    topic, expected = publish(logs, history)
    for _ in range(3):
        with consumer(logs, history.spec, topic, tmp_path / "state") as running:
            running.recover()
            running.step()
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        assert running.recover() == "went on where it was"
        follow(running, until_end=True)
    check(logs, history, expected, tmp_path / "state")


def test_lost_state_is_replayed_without_output(logs: Logs, tmp_path: Path) -> None:
    history = a_history(50)
    topic, expected = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "lost") as running:
        running.recover()
        follow(running, until_end=True)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        assert running.recover() == f"replayed {len(history.records)} records without output"
    check(logs, history, expected, tmp_path / "state")


def test_a_lost_output_topic_is_published_whole(logs: Logs, tmp_path: Path) -> None:
    history = a_history(70)
    topic, expected = publish(logs, history)
    with open_consumer(
        from_dict(history.spec), topic, tmp_path / "state", logs.address("other"), logs.settings, 50
    ) as running:
        running.recover()
        follow(running, until_end=True)
    clusters = logs.topic("clusters", partitions=1, compacted=True)
    writer = open_writer(clusters, logs.settings)
    writer.close()
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
    reader = open_reader(clusters, logs.settings)
    assert {item: c["head"] for item, c in read_clusters(reader).items()} == {
        item: head for item, (head, *_) in expected.clusters.items()
    }
    reader.close()


def test_a_snapshot_at_a_fence_is_the_state_of_that_fence(logs: Logs, tmp_path: Path) -> None:
    history = a_history(90)
    topic, _ = publish(logs, history)
    records = read_log(logs, topic)
    reader = open_reader(topic, logs.settings)
    ends = reader.end_offsets()
    fence = reader.identity.fence({0: ends[0] // 2, 1: ends[1]})
    reader.close()
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        follow(running, until_end=True, snapshot_at=fence, snapshot=tmp_path / "copy")
    expected = expect(history.spec, [r for r in records if r[1] < dict(fence.offsets)[r[0]]])
    store = open_store(tmp_path / "copy", create=False)
    assert state_fence(store) == fence
    assert read_state(store, from_dict(history.spec)).clusters == expected.clusters
    run = export(store, tmp_path / "run", fence)
    store.close()
    assert run.fence == fence and run.rows("items") == len(expected.items)
    clusters = {row["id"]: row["head"] for row in run.read("clusters").to_pylist()}
    assert clusters == {item: head for item, (head, *_) in expected.clusters.items()}


def test_another_contract_is_refused_by_state_and_topic(logs: Logs, tmp_path: Path) -> None:
    history = a_history(110)
    topic, _ = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        follow(running, until_end=True)
    other = history.spec | {"limits": {"payload_bytes": 999}}
    ids = (contract_id(from_dict(history.spec)), contract_id(from_dict(other)))
    for folder in ("state", "new"):
        with (
            consumer(logs, other, topic, tmp_path / folder) as running,
            pytest.raises(ContractError) as refused,
        ):
            running.recover()
        assert all(one in str(refused.value) for one in ids)
    with pytest.raises(SourceError, match="no state"):
        open_store(tmp_path / "nothing", create=False)


@pytest.mark.parametrize("kind", ["file", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_killed_between_every_two_steps(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Kill a consumer at its step 0, its successor at step 1, and so on, until one reaches the end.

    The first two die where a new state is stamped, which happens once; so the count starts again there.
    """
    settings = request.getfixturevalue("kafka_settings") if kind == "kafka" else KafkaSettings()
    logs = Logs(kind, settings, tmp_path)
    history = a_history(130, longest=200)
    topic, expected = publish(logs, history)
    died: list[str] = []
    for die_at in [0, 1, *range(100)]:
        plan = {
            "spec": history.spec,
            "topic": topic,
            "state": str(tmp_path / "state"),
            "output": logs.address("clusters"),
            "servers": logs.settings.bootstrap_servers,
            "batch_size": 9,
            "die_at": die_at,
        }
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        process = subprocess.run(
            [sys.executable, "-m", "tests.stream.crashing", str(tmp_path / "plan.json")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        step = (tmp_path / "state.step").read_text()
        if step.startswith("end"):
            break
        assert process.returncode == -9, process.stderr
        died.append(step)
    assert process.returncode == 0, process.stderr
    assert set(died) == {
        f"{when} {what}" for when in ("before", "after") for what in ("start", "commit", "write")
    }
    check(logs, history, expected, tmp_path / "state")
