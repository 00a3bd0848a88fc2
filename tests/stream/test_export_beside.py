"""An export beside a consumer that runs is one of some commit: what a consumer that stopped there exports."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import corpus
from cli.main import main
from shared.run import Run, open_run
from shared.spec import load
from stream.export import export
from stream.logs.open import ensure_topic, open_writer
from stream.logs.settings import KafkaSettings
from stream.running import Follower, open_consumer
from stream.stores import open_store, read_store, rocks

ROOT = Path(__file__).parents[2]
NO_KAFKA = KafkaSettings("")
EXPORTS, BETWEEN = 3, 400  # records


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Path]:
    """The state of one that follows the topic `items`, in a process of its own."""
    ensure_topic(f"file:{tmp_path}/items", NO_KAFKA, partitions=2)
    topics = ("--topic", f"file:{tmp_path}/items", "--output", f"file:{tmp_path}/clusters")
    command = [sys.executable, "-m", "cli.main", "consume", "--spec", "text", *topics]
    command += ["--state", str(tmp_path / "state"), "--batch-size", "7"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None and "started" in process.stderr.readline()
    yield tmp_path / "state"
    assert process.poll() is None, process.stderr.read()
    process.terminate()
    process.communicate(timeout=30)


def stopped_there(folder: Path, run: Run) -> Run:
    """What a consumer from the beginning exports at the fence of a run."""
    assert run.fence is not None
    topic, output = f"file:{folder}/items", f"file:{folder}/{run.path.name}-clusters"
    with open_consumer(load("text"), topic, folder / f"{run.path.name}-state", output, NO_KAFKA) as other:
        other.recover()
        Follower(other).to_fence(run.fence)
        return export(other.store, folder / f"{run.path.name}-again", run.fence)


def test_an_export_beside_a_consumer(consumer: Path, tmp_path: Path) -> None:
    events, runs = corpus.chunks(EXPORTS * BETWEEN, BETWEEN), []
    for number, chunk in enumerate(events):
        open_writer(topic := f"file:{tmp_path}/items", NO_KAFKA).append(topic, chunk)
        done = CliRunner().invoke(
            main, ["export", "--state", str(consumer), "--output", str(tmp_path / f"{number}")]
        )
        assert done.exit_code == 0, done.output
        runs.append(open_run(tmp_path / f"{number}"))
    assert len({str(run.fence) for run in runs}) > 1, "a consumer that stands still shows nothing"
    for run in runs:
        again = stopped_there(tmp_path, run)
        for name, stage in again.manifest["stages"].items():
            assert run.manifest["stages"][name]["digests"] == stage["digests"], name


def test_a_log_that_goes_away_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RocksDB would go on without it: a reader at different commits in different families."""
    owner = open_store(tmp_path / "state")
    owner.write({"items": {b"a": b"1"}, "edges": {b"a": b"1"}})
    opened = []

    def opening(*args: object, **options: object) -> object:
        opened.append(rocks_dict(*args, **options))
        if len(opened) == 1:
            for family in owner._families.values():  # type: ignore[attr-defined]
                family.flush()
        return opened[-1]

    rocks_dict = rocks.Rdict
    monkeypatch.setattr(rocks, "Rdict", opening)
    reader = read_store(tmp_path / "state")
    assert len(opened) == 2
    assert list(reader.scan("items")) == list(reader.scan("edges")) == [(b"a", b"1")]
    reader.close()
    owner.close()
