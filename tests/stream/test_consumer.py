"""The consumer on every kind of log: it ends as the oracle says, and starts again wherever it was killed."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from shared.contract import contract_id
from shared.errors import ContractError, CrossfadeError, SourceError, TransientError
from shared.sketch import Sketched
from shared.source_events import event_value
from shared.spec import Spec, from_dict, load, to_dict
from stream import microbatch
from stream import running as running_module
from stream.clusters_topic import OutputTopics, read_clusters
from stream.consumer import Consumer
from stream.export import export
from stream.logs import in_step
from stream.logs.kafka_client import admin
from stream.logs.open import open_reader, open_writer
from stream.logs.settings import KafkaSettings
from stream.meta import state_fence
from stream.running import Follower, open_consumer
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
    logs: Logs, spec: dict[str, Any], topic: str, folder: Path, batch_size: int = 7, workers: int = 1
) -> Iterator[Consumer]:
    output = logs.address("clusters")
    with open_consumer(from_dict(spec), topic, folder, output, logs.settings, batch_size, workers) as opened:
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


WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["alone", "with workers"])


@WORKERS
def test_a_consumer_ends_as_the_oracle_says(logs: Logs, tmp_path: Path, workers: int) -> None:
    history = a_history()
    topic, expected = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state", workers=workers) as running:
        assert running.recover() == "started"
        Follower(running).to_end()
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
        Follower(running).to_end()
    check(logs, history, expected, tmp_path / "state")


def test_lost_state_is_replayed_without_output(logs: Logs, tmp_path: Path) -> None:
    history = a_history(50)
    topic, expected = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "lost") as running:
        running.recover()
        Follower(running).to_end()
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
        Follower(running).to_end()
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


@WORKERS
def test_a_snapshot_at_a_fence_is_the_state_of_that_fence(logs: Logs, tmp_path: Path, workers: int) -> None:
    history = a_history(90)
    topic, _ = publish(logs, history)
    records = read_log(logs, topic)
    reader = open_reader(topic, logs.settings)
    ends = reader.end_offsets()
    fence = reader.identity.fence({0: ends[0] // 2, 1: ends[1]})
    reader.close()
    with consumer(logs, history.spec, topic, tmp_path / "state", workers=workers) as running:
        running.recover()
        follower = Follower(running)
        follower.to_fence(fence)
        running.store.checkpoint(tmp_path / "copy")
        follower.to_end()
    expected = expect(history.spec, [r for r in records if r[1] < dict(fence.offsets)[r[0]]])
    store = open_store(tmp_path / "copy", create=False)
    assert state_fence(store) == fence
    assert read_state(store, from_dict(history.spec)).clusters == expected.clusters
    run = export(store, tmp_path / "run", fence)
    store.close()
    assert run.fence == fence and run.rows("items") == len(expected.items)
    assert run.watermark == expected.watermark
    clusters = {row["id"]: row["head"] for row in run.read("clusters").to_pylist()}
    assert clusters == {item: head for item, (head, *_) in expected.clusters.items()}


def test_a_fence_inside_what_was_polled_ahead_is_kept(tmp_path: Path) -> None:
    """A step without limits polls seven records more; the fence is two behind what it applied."""
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(90)
    topic, _ = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state", workers=2) as running:
        running.recover()
        running.step()
        assert running.reader.positions() != running.positions  # one is ahead
        fence = running.reader.identity.fence({p: at + 1 for p, at in running.positions.items()})
        follower = Follower(running)
        follower.to_fence(fence)
        assert running.fence() == fence == state_fence(running.store)
        follower.to_end()
        assert sum(running.positions.values()) >= len(history.records)


def test_another_contract_is_refused_by_state_and_topic(logs: Logs, tmp_path: Path) -> None:
    history = a_history(110)
    topic, _ = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        Follower(running).to_end()
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


@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        ("file", 1),
        pytest.param("file", 2, marks=pytest.mark.slow),  # its worker processes start anew each time
        pytest.param("kafka", 1, marks=pytest.mark.kafka),
    ],
)
def test_killed_between_every_two_steps(
    kind: str, workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Kill a consumer at its step 0, its successor at step 1, and so on, until one reaches the end.

    The first two die where a new state is stamped, which happens once; so the count starts again there.
    """
    settings = request.getfixturevalue("kafka_settings") if kind == "kafka" else KafkaSettings()
    logs = Logs(kind, settings, tmp_path)
    history = a_history(130, longest=200 if workers == 1 else 60)
    topic, expected = publish(logs, history)
    plan = {
        "spec": history.spec,
        "topic": topic,
        "state": str(tmp_path / "state"),
        "output": logs.address("clusters"),
        "servers": logs.settings.bootstrap_servers,
        "batch_size": 9,
        "workers": workers,
        "die_at": [0, 1, *range(100)],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    process = subprocess.run(
        [sys.executable, "-m", "tests.stream.crashing", str(tmp_path / "plan.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    died = process.stdout.splitlines()
    assert len(died) < len(plan["die_at"])  # the last one reached the end
    assert set(died) == {
        f"{when} {what}" for when in ("before", "after") for what in ("start", "commit", "write")
    }
    check(logs, history, expected, tmp_path / "state")


def test_payloads_that_cannot_be_had_now_stall_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(150)
    topic, expected = publish(logs, history)
    away = iter([True, True, False, True])
    real = microbatch.sketch

    def sometimes(spec: Spec, events: pa.Table) -> Sketched:
        if next(away, False):
            raise TransientError("the storage is away")
        return real(spec, events)

    monkeypatch.setattr(microbatch, "sketch", sometimes)
    monkeypatch.setattr(running_module, "FIRST_WAIT", 0.001)
    waits: list[float] = []

    def stop_at_the_end(totals: dict[str, int], lag: int) -> None:
        if lag == 0:
            raise KeyboardInterrupt

    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        follower = Follower(running, stop_at_the_end, lambda error, seconds: waits.append(seconds))
        with pytest.raises(KeyboardInterrupt):
            follower.for_ever()
    assert waits == [0.001, 0.002, 0.001]
    check(logs, history, expected, tmp_path / "state")


def test_fences_that_cannot_be_reached_are_refused(tmp_path: Path) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(170)
    topic, _ = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        follower = Follower(running)
        follower.to_end()
        here = running.fence()
        for fence, why in (
            (replace(here, topic="another"), "the fence is of topic another"),
            (replace(here, offsets=((0, 0), (1, 0))), "past the fence already"),
            (replace(here, offsets=tuple((p, at + 5) for p, at in here.offsets)), "does not go that far"),
        ):
            with pytest.raises(SourceError, match=why):
                follower.to_fence(fence)
        store = running.store
        with pytest.raises(SourceError, match=r"the state stands at .* not at the fence"):
            export(store, tmp_path / "run", replace(here, offsets=((0, 0), (1, 0))))
        export(store, tmp_path / "run", here)
        with pytest.raises(SourceError, match="is not empty"):
            export(store, tmp_path / "run", here)


def test_a_commit_that_failed_for_now_ends_the_consumer_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(190)
    topic, expected = publish(logs, history)
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        running.step()
        with monkeypatch.context() as patch, pytest.raises(TransientError, match="no answer"):
            patch.setattr(running.writer, "commit", no_answer)
            Follower(running).for_ever()
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        Follower(running).to_end()
    check(logs, history, expected, tmp_path / "state")


def no_answer(*_: object) -> None:
    raise TransientError("no answer; nothing was committed")


def test_large_records_make_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(210)
    topic, expected = publish(logs, history)
    monkeypatch.setattr(in_step, "BATCH_BYTES", 250)
    with consumer(logs, history.spec, topic, tmp_path / "state", batch_size=1000) as running:
        running.recover()
        sizes = []
        while (outcome := running.step(timeout=0.01)) is not None:
            sizes.append(outcome.counts["records"])
    assert sum(sizes) == len(history.records) and max(sizes) <= 8 < len(history.records)
    check(logs, history, expected, tmp_path / "state")


def test_replayed_pictures_that_are_gone_are_corrected(tmp_path: Path) -> None:
    """The output was sent, the state was lost, and meanwhile a picture went away."""
    logs = Logs("memory", KafkaSettings(), tmp_path)
    picture = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(picture)
    payload = {"uri": str(picture), "sha256": hashlib.sha256(picture.read_bytes()).hexdigest()}
    topic = logs.topic("items")
    writer = open_writer(topic, logs.settings)
    writer.append(topic, [(b"k", event_value(item, "upsert", 1, payload)) for item in ("a", "b")])
    spec = to_dict(load("photos-small"))
    with consumer(logs, spec, topic, tmp_path / "first") as running:
        running.recover()
        Follower(running).to_end()
    assert heads_told(logs) == {"a": "a", "b": "a"}
    picture.unlink()
    with consumer(logs, spec, topic, tmp_path / "second") as running:
        assert running.recover() == "replayed 2 records without output, then corrected 2 clusters"
    assert heads_told(logs) == {}


def heads_told(logs: Logs) -> dict[str, str]:
    reader = open_reader(logs.address("clusters"), logs.settings)
    return {item: cluster["head"] for item, cluster in read_clusters(reader).items()}


def test_topics_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    history = a_history(230)
    topic, _ = publish(logs, history)
    other, _ = publish(logs, history, "others")
    with consumer(logs, history.spec, topic, tmp_path / "state") as running:
        running.recover()
        Follower(running).to_end()
    with (
        consumer(logs, history.spec, other, tmp_path / "other") as running,
        pytest.raises(SourceError, match="belongs to topic"),
    ):
        running.recover()
    topics = OutputTopics(logs.address("clusters"))
    for own in (topics.clusters, topics.progress, topics.dead):
        with (
            pytest.raises(CrossfadeError, match="own output topics"),
            consumer(logs, history.spec, own, tmp_path / "own"),
        ):
            pass


def test_the_state_of_an_empty_topic_stands_at_its_start(tmp_path: Path) -> None:
    logs = Logs("memory", KafkaSettings(), tmp_path)
    topic = logs.topic("items")
    with consumer(logs, a_history().spec, topic, tmp_path / "state") as running:
        running.recover()
        Follower(running).to_end()
        assert state_fence(running.store) == running.fence() == running.reader.identity.fence({0: 0, 1: 0})


@pytest.mark.kafka
def test_a_topic_that_grew_is_noticed(kafka_logs: Logs, tmp_path: Path) -> None:
    topic = kafka_logs.topic("items")
    with consumer(kafka_logs, a_history().spec, topic, tmp_path / "state") as running:
        running.recover()
        with admin(kafka_logs.settings, "add a partition") as broker:
            broker.create_partitions({topic: 3})
        deadline = time.monotonic() + 20
        client = running.reader._reader._consumer  # type: ignore[attr-defined]
        while len(client.partitions_for_topic(topic)) < 3:
            client.topics()  # metadata now, not in a minute
            assert time.monotonic() < deadline
        with pytest.raises(SourceError, match="grew from 2 partitions to 3"):
            Follower(running).for_ever()
