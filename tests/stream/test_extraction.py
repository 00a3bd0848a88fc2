"""Workers change nothing but the time: what they sketch, ahead or not, is what one call of `sketch` gives."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shared.errors import CrossfadeError, TransientError
from shared.extractors.protocol import Extraction
from shared.extractors.text import Shingles
from shared.sketch import Sketched, sketch
from shared.source_events import event_value
from shared.spec import Spec, from_dict, load
from stream import running as running_module
from stream.extraction import SLICE, Workers
from stream.logs.open import open_writer
from stream.logs.settings import KafkaSettings
from stream.microbatch import apply, likely_winners
from stream.running import Follower, open_consumer
from stream.stores import open_store
from stream.stores.memory import MemoryStore
from tests.conftest import Logs
from tests.engines import Found, read_state, record_table
from tests.histories import Record, arrival_orders, packed_histories, random_history, union
from tests.images import encode, scene, uniform
from tests.oracle import expect

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fussy(Shingles):
    """Shingles. While FILE is there, a text `away FILE` cannot be had, and `kill FILE` kills the worker."""

    def extract(self, payloads: pa.Array) -> Extraction:
        for text in payloads.cast(pa.string()).to_pylist():
            what, _, file = text.partition(" ")
            if what in ("away", "kill") and Path(file).exists():
                if what == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise TransientError(f"the storage of {file} is away")
        return super().extract(payloads)


def fussy() -> Spec:
    text = load("text")
    return replace(text, channels=(replace(text.channels[0], extractor=Fussy()),))


@pytest.fixture(scope="module")
def picture_workers() -> Iterator[Workers]:
    workers = Workers(load("photos-small"), 2)
    yield workers
    workers.close()


@pytest.fixture
def fussy_workers() -> Iterator[Workers]:
    workers = Workers(fussy(), 2)
    yield workers
    workers.close()


def pictures(folder: Path, count: int) -> list[Record]:
    """Upserts of `count` files: most of them pictures, the others all that may be wrong; and deletes."""
    records: list[Record] = []
    for number in range(count):
        data = encode(scene(number // 2, 64 + number % 7, 48))
        sort = number % 11
        data = data[: len(data) // 2] if sort == 3 else encode(uniform(width=40)) if sort == 5 else data
        file = folder / f"{number}.png"
        if sort != 7:
            file.write_bytes(data)
        digest = "0" * 64 if sort == 8 else hashlib.sha256(data).hexdigest()
        payload: Any = {"text": "no picture"} if sort == 9 else {"uri": str(file), "sha256": digest}
        op = "delete" if sort == 10 else "upsert"
        records.append((0, number, 1, event_value(f"{number}", op, 1, None if op == "delete" else payload)))
    return records


def winners(spec: Spec, records: Sequence[Record]) -> pa.Table:
    return likely_winners(spec, MemoryStore(), record_table(records))


def assert_same(found: Sketched, expected: Sketched) -> None:
    assert found.status.tolist() == expected.status.tolist()
    assert len(found.features) == len(expected.features)
    for ours, theirs in zip(found.features, expected.features, strict=True):
        assert ours.signatures.equals(theirs.signatures) and ours.records.equals(theirs.records)


def test_any_slices_give_what_one_call_gives(picture_workers: Workers, tmp_path: Path) -> None:
    """Whatever was begun of it before: all, some, none, or others; in any order."""
    spec = picture_workers.spec
    events = winners(spec, pictures(tmp_path, 60))
    every = sketch(spec, events)
    assert {"ok", "no_features", "image_invalid", "uri_not_found", "payload_changed", "payload_invalid",
            "deleted"} == set(every.status)  # fmt: skip
    rng = random.Random(1)
    for size in (0, 1, 2, SLICE, 4 * SLICE + 1, 60):
        begun = events.take(pa.array(rng.sample(range(60), size), pa.int64()))
        for wanted in (0, 1, SLICE + 1, 60):
            rows = rng.sample(range(60), wanted)
            chosen = events.take(pa.array(rows, pa.int64()))
            assert_same(picture_workers.begin(begun)(chosen), sketch(spec, chosen))
    assert_same(picture_workers.begin(events)(events), every)


def through_workers(workers: Workers, batches: Sequence[list[Record]]) -> Found:
    """Micro-batches as the consumer applies them, each begun before the one ahead of it is applied."""
    spec, store = workers.spec, MemoryStore()
    tables, positions = [record_table(batch) for batch in batches], dict[int, int]()
    ahead = None
    for batch, table, following in zip(batches, tables, [*tables[1:], None], strict=True):
        now = ahead or workers.begin(likely_winners(spec, store, table))
        ahead = workers.begin(likely_winners(spec, store, following)) if following is not None else None
        positions |= {partition: offset + 1 for partition, offset, *_ in batch}
        store.write(apply(spec, store, table, positions, now).state.changes)
    return read_state(store, spec)


# 15 histories with max_skew, whose versions are kept and come back; 15 without; and one with retention.
@pytest.mark.parametrize(("seed", "count"), [(4, 15), (2, 15), (118, 1)])
def test_histories_sketched_a_batch_ahead_end_as_the_oracle_says(seed: int, count: int) -> None:
    history = union(packed_histories(seed, count)[1]) if count > 1 else random_history(seed)
    assert ("max_skew_ms" in history.spec["times"]) == (seed != 2)
    expected = expect(history.spec, history.records)
    workers = Workers(from_dict(history.spec), 2)
    try:
        for order in arrival_orders(history, seed, count=2):
            found = through_workers(workers, order)
            assert (found.items, found.signatures) == (expected.items, expected.signatures)
            assert (found.edges, found.clusters) == (expected.edges, expected.clusters)
    finally:
        workers.close()


def test_only_what_may_win_and_is_not_known_is_begun() -> None:
    spec, store = load("text"), MemoryStore()

    def upsert(offset: int, item: str, time: int) -> Record:
        return (0, offset, 1, event_value(item, "upsert", time, {"text": f"version {time}"}))

    def begun(*records: Record) -> list[tuple[str, int]]:
        found = likely_winners(spec, store, record_table(records))
        return list(zip(*(found.column(name).to_pylist() for name in ("id", "offset")), strict=True))

    first = [upsert(0, "a", 1), upsert(1, "a", 3), upsert(2, "a", 2), upsert(3, "b", 1), (0, 4, 1, b"dead")]
    assert begun(*first) == [("a", 1), ("b", 3)]
    store.write(apply(spec, store, record_table(first), {0: 5}).state.changes)
    again = [upsert(5, "a", 3), upsert(6, "b", 0), upsert(7, "c", 1), upsert(8, "b", 2)]
    assert begun(*again) == [("b", 8), ("c", 7)]


def texts(*values: str) -> list[Record]:
    return [(0, n, 1, event_value(f"{n:02}", "upsert", 1, {"text": value})) for n, value in enumerate(values)]


def test_an_error_arrives_as_itself_and_only_where_it_matters(fussy_workers: Workers, tmp_path: Path) -> None:
    file = tmp_path / "down"
    file.touch()
    events = winners(fussy_workers.spec, texts("one", f"away {file}", "three"))
    sketching = fussy_workers.begin(events)
    others = events.take(pa.array([0, 2]))
    assert_same(sketching(others), sketch(fussy_workers.spec, others))
    with pytest.raises(TransientError, match=r"^the storage of .*down is away$"):
        sketching(events)
    file.unlink()
    assert_same(sketching(events), sketch(fussy_workers.spec, events))


def test_a_killed_worker_is_an_error_in_one_sentence(fussy_workers: Workers) -> None:
    events = winners(fussy_workers.spec, texts("one", f"kill {__file__}"))
    with pytest.raises(CrossfadeError, match=r"was killed, most often .*; nothing is lost"):
        fussy_workers.begin(events)(events)
    with pytest.raises(CrossfadeError, match="was killed"):
        fussy_workers.begin(events)


def publish(logs: Logs, values: Sequence[str]) -> str:
    topic = logs.topic("items", partitions=1)
    writer = open_writer(topic, logs.settings)
    for *_, value in texts(*values):
        writer.append(topic, [(b"k", value)])
    writer.close()
    return topic


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """The next consumer goes on from what was committed."""
    logs = Logs("file", KafkaSettings(), tmp_path)
    file = tmp_path / "killer"
    file.touch()
    topic = publish(logs, ["a b c d", "a b c d", "two", f"kill {file}", "a b c d"])
    where = (topic, tmp_path / "state", logs.address("clusters"), logs.settings, 2)
    with (
        open_consumer(fussy(), *where, workers=2) as consumer,
        pytest.raises(CrossfadeError, match="was killed"),
    ):
        consumer.recover()
        Follower(consumer).to_end()
    file.unlink()
    with open_consumer(fussy(), *where, workers=2) as consumer:
        consumer.recover()
        assert consumer.positions[0] in (0, 2)  # by what was faster: this batch, or the killer ahead
        Follower(consumer).to_end()
        found = read_state(consumer.store, consumer.spec)
    heads = [head for _, (head, *_) in sorted(found.clusters.items())]
    assert heads == ["00", "00", "02", "03", "00"]


def test_payloads_that_cannot_be_had_now_stall_a_consumer_with_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the batch, nor of the one ahead of it, is decided or skipped."""
    logs = Logs("memory", KafkaSettings(), tmp_path)
    file = tmp_path / "down"
    file.touch()
    topic = publish(logs, ["one two three", "x", "y", f"away {file}", "z", "one two three"])
    monkeypatch.setattr(running_module, "FIRST_WAIT", 0.001)
    stalls: list[dict[int, int]] = []
    where = (topic, tmp_path / "state", logs.address("clusters"), logs.settings, 2)

    def stalled(error: Exception, seconds: float) -> None:
        assert "is away" in str(error)
        stalls.append(dict(consumer.positions))
        if len(stalls) == 2:
            file.unlink()

    def stop_at_the_end(totals: dict[str, int], lag: int) -> None:
        if lag == 0:
            raise KeyboardInterrupt

    with open_consumer(fussy(), *where, workers=2) as consumer:
        consumer.recover()
        with pytest.raises(KeyboardInterrupt):
            Follower(consumer, stop_at_the_end, stalled).for_ever()
        assert stalls == [{0: 2}, {0: 2}] and consumer.positions == {0: 6}
        found = read_state(consumer.store, consumer.spec)
    heads = [head for _, (head, *_) in sorted(found.clusters.items())]
    assert heads == ["00", "01", "02", "03", "04", "00"]


# What `crossfade consume` and its workers do when the world ends.


@pytest.fixture
def consuming(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`crossfade consume` with two workers on 400 pictures, in a session of its own."""
    logs = Logs("file", KafkaSettings(), tmp_path)
    topic = logs.topic("items", partitions=1)
    writer = open_writer(topic, logs.settings)
    writer.append(topic, [(b"k", value) for *_, value in pictures(tmp_path, 400)])
    writer.close()
    command = ["consume", "--spec", "photos-small", "--topic", topic, "--output", logs.address("clusters")]
    command += ["--state", str(tmp_path / "state"), "--workers", "2", "--batch-size", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def session_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes of its session that run now."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == process.pid and state != "Z":
            found.add(int(entry.name))
    return found


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def working(process: subprocess.Popen[str], folder: Path) -> bool:
    """The consumer, its workers and Python's tracker of what they share are there; a batch was committed."""
    return len(session_of(process)) == 4 and any((folder / "clusters").rglob("*.arrow"))


# Early: when its first child is there, so that the workers are about to start.
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("to_all", [True, False])
def test_an_interrupt_leaves_no_process_and_says_one_sentence(
    consuming: subprocess.Popen[str], tmp_path: Path, early: bool, to_all: bool
) -> None:
    if early:
        wait_for(lambda: len(session_of(consuming)) > 1)
    else:
        wait_for(lambda: working(consuming, tmp_path))
    if to_all:  # as a terminal does
        os.killpg(consuming.pid, signal.SIGINT)
    else:
        consuming.send_signal(signal.SIGINT)
    _, said = consuming.communicate(timeout=60)
    assert consuming.returncode == 130, said
    assert "crossfade: interrupted;" in said and "Traceback" not in said
    wait_for(lambda: not session_of(consuming), 5.0)


def test_a_killed_consumer_leaves_no_process(consuming: subprocess.Popen[str], tmp_path: Path) -> None:
    wait_for(lambda: working(consuming, tmp_path))
    consuming.kill()
    consuming.communicate(timeout=60)
    wait_for(lambda: not session_of(consuming), 10.0)


def test_a_worker_killed_under_a_consumer_ends_it_with_a_sentence(
    consuming: subprocess.Popen[str], tmp_path: Path
) -> None:
    wait_for(lambda: working(consuming, tmp_path))
    os.kill(max(session_of(consuming)), signal.SIGKILL)
    _, said = consuming.communicate(timeout=60)
    assert consuming.returncode == 2, said
    assert "crossfade: a worker process that extracts features was killed" in said
    assert "Traceback" not in said
    wait_for(lambda: not session_of(consuming), 5.0)
    store = open_store(tmp_path / "state", create=False)
    assert read_state(store, load("photos-small")).items
    store.close()
