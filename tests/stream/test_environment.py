"""What is no fault of crossfade ends a consumer with one sentence; put right, it goes on to the same end."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench import corpus
from cli.main import main
from shared.run import open_run
from stream import state
from stream.logs.open import ensure_topic, open_writer
from stream.logs.settings import KafkaSettings
from stream.stores import open_store

ROOT = Path(__file__).parents[2]
NO_KAFKA = KafkaSettings("")
OUTPUT = "file:log/clusters"
CONSUME = ("consume", "--spec", "text", "--topic", "file:log/items", "--state", "state", "--output", OUTPUT)
GROUP = Path("log/items/groups/crossfade-file-log-clusters")


def crossfade(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def consume() -> Result:
    return crossfade(*CONSUME, "--until-end", "--batch-size", "50")


def sentence(result: Result) -> str:
    """What a command that could not do it says, without what it said before."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output.splitlines()[-1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 texts in a log, half of them consumed."""
    folder = tmp_path_factory.mktemp("made")
    topic = f"file:{folder}/log/items"
    ensure_topic(topic, NO_KAFKA, partitions=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for chunk in corpus.chunks(200, 100):
            open_writer(topic, NO_KAFKA).append(topic, chunk)
            if not Path("state").exists():
                assert consume().exit_code == 0
        open_store(Path("state")).close()  # moves the log into files
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it is the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def garbled(file: Path, at: float = 0.5, size: int = 100) -> None:
    data = bytearray(file.read_bytes())
    start = int(len(data) * at)
    data[start : start + size] = bytes(len(data[start : start + size]))
    file.write_bytes(data)


def a_table() -> Path:
    return max(Path("state").glob("*.sst"), key=lambda path: path.stat().st_size)


def manifest() -> Path:
    return next(Path("state").glob("MANIFEST*"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda: garbled(a_table(), 0, a_table().stat().st_size * 3 // 4),  # opens, and cannot be read
        lambda: garbled(a_table(), 1 - 2000 / a_table().stat().st_size, 1900),  # "block", not "lock"
        lambda: garbled(a_table(), 0.9, 2**20),
        lambda: os.truncate(a_table(), 1000),
        lambda: a_table().unlink(),
        lambda: os.truncate(manifest(), 100),
        lambda: manifest().unlink(),
        lambda: garbled(manifest()),
        lambda: os.truncate("state/CURRENT", 0),
        lambda: Path("state/CURRENT").write_text("nothing\n"),
    ],
)
def test_a_file_of_the_database(damage: Callable[[], object]) -> None:
    damage()
    said = sentence(consume())
    assert said.startswith("crossfade: the state in state cannot be ") and "elsewhere" not in said
    assert said.endswith("or with a new --state folder, which reads the topic again")


@pytest.mark.parametrize("family", ["items", "features", "postings", "edges", "clusters"])
def test_a_record_is_named_where_the_consumer_stumbles(family: str) -> None:
    store = open_store(Path("state"))
    store.write({family: {key: b"\xff" * 7 for key, _ in store.scan(family)}})
    store.close()
    said = sentence(consume())
    assert "the state in state: the record b'" in said and f"of the family {family} is damaged" in said


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"a": "b"}'])
@pytest.mark.parametrize(
    "name",
    [state.META_CONTRACT, state.META_SOURCE, state.META_OFFSETS, state.META_COUNTS, state.META_WATERMARK],
)
def test_what_a_state_says_of_itself(name: bytes, value: bytes) -> None:
    store = open_store(Path("state"))
    store.write({"meta": {name: value}})
    store.close()
    said = sentence(consume())
    assert "the state in state" in said and "start `crossfade consume` from a snapshot" in said


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"partitions": 2.5, "format": 1}', b"\xff"])
@pytest.mark.parametrize(
    "file", ["log/items/topic.json", "log/clusters/topic.json", f"{GROUP}/epoch.json", f"{GROUP}/commit.json"]
)
def test_a_file_of_the_log(file: str, value: bytes) -> None:
    assert Path(file).exists()
    Path(file).write_bytes(value)
    said = sentence(consume())
    assert (file in said and "restore it from a copy" in said) or "have it written again" in said


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b'{"group": 1}', b'{"group": "g", "id": "i", "segments": [1]}']
)
def test_a_transaction_that_is_pending(value: bytes) -> None:
    Path("log/clusters/pending.json").write_bytes(value)
    said = sentence(consume())
    assert "log/clusters/pending.json" in said and "restore it from a copy" in said


def test_a_run_on_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shared.stage_writer.StageWriter.write", full)
    said = sentence(crossfade("export", "--state", "state", "--output", "run"))
    assert "No space left on device; make room and run it again" in said


def test_another_error_of_the_system_is_still_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("shared.stage_writer.StageWriter.write", broken)
    assert crossfade("export", "--state", "state", "--output", "run").exit_code == 70


def test_a_partition_that_is_gone() -> None:
    shutil.rmtree("log/items/partition=1")
    assert "partition=1, a partition of a topic, is gone; the log is damaged" in sentence(consume())


@pytest.mark.parametrize("most", [60_000, 200_000])  # where the state is opened, and where it is written
def test_a_disk_that_is_full(most: int) -> None:
    """A limit on the size of files is one in a test; then there is room, and the end is the same."""
    process = subprocess.run(
        [sys.executable, "-m", "cli.main", *CONSUME, "--until-end", "--batch-size", "20"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        capture_output=True,
        text=True,
        check=False,
    )
    last = process.stderr.splitlines()[-1]
    assert process.returncode == 2 and "Traceback" not in process.stderr, last
    assert "File too large" in last and "make room" in last, last
    assert consume().exit_code == 0
    again = (*CONSUME[:5], "--state", "other", "--output", "file:log/other", "--until-end")
    assert crossfade(*again).exit_code == 0
    runs = []
    for name in ("state", "other"):
        assert crossfade("export", "--state", name, "--output", f"run-{name}").exit_code == 0
        runs.append(open_run(f"run-{name}").manifest["stages"])
    assert all(runs[0][name]["digests"] == runs[1][name]["digests"] for name in runs[0])
