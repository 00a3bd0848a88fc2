"""What only the file log can show: crashes between any two steps of a commit, and several processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import SourceError
from stream.logs import file_commit, file_topic
from stream.logs.file_reader import FileReader
from stream.logs.file_topic import create_topic
from stream.logs.file_writer import FileTransactionalWriter, FileWriter
from stream.logs.protocol import OutMessage, UnknownCommitError
from tests.stream.test_logs import read_all

# Runs one commit to two topics and ends the process, as a power cut would, before its step number N.
CRASH = """
import os, sys
from stream.logs import file_commit
from stream.logs.file_writer import FileTransactionalWriter
from stream.logs.protocol import OutMessage

source, out, progress, step = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
writer = FileTransactionalWriter(source, "g")
writer.start()
writer.commit([OutMessage(out, b"k", b"1"), OutMessage(progress, b"k", b"1")], {0: 1})
done = 0

def counted(function):
    def step_or_die(*arguments):
        global done
        done += 1
        if done == step:
            os._exit(9)
        return function(*arguments)
    return step_or_die

for name in ("stage_segments", "write_json", "publish_segments"):
    setattr(file_commit, name, counted(getattr(file_commit, name)))
writer.commit([OutMessage(out, b"k", b"2"), OutMessage(progress, b"k", b"2")], {0: 2})
print("done after", done)
"""
# stage, pending; stage, pending; commit.json | publish; publish
STEPS, COMMIT_STEP = 7, 5


@pytest.fixture
def topics(tmp_path: Path) -> tuple[str, str, str]:
    addresses = (f"file:{tmp_path}/items", f"file:{tmp_path}/out", f"file:{tmp_path}/progress")
    for address in addresses:
        create_topic(address, 1)
    return addresses


def values(address: str) -> list[bytes]:
    reader = FileReader(address)
    found: list[bytes] = read_all(reader)["value"].to_pylist()
    return found


def hidden(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.arrow")) + list(folder.rglob("pending.json"))


@pytest.mark.parametrize(
    ("step", "first_to_come"),
    [(step, "the next consumer") for step in range(1, STEPS + 1)]
    + [(step, "another writer") for step in (2, COMMIT_STEP, COMMIT_STEP + 1)],
)
def test_a_crash_leaves_all_of_a_commit_or_nothing(
    step: int, first_to_come: str, topics: tuple[str, str, str], tmp_path: Path
) -> None:
    source, out, progress = topics
    command = [sys.executable, "-c", CRASH, *topics, str(step)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 9, result.stderr
    expected = [b"1", b"2"] if step > COMMIT_STEP else [b"1"]
    after = expected
    if first_to_come == "another writer":
        FileWriter().append(out, [(b"k", b"between")])
        after = [*expected, b"between"]
    writer = FileTransactionalWriter(source, "g")
    writer.start()
    assert (values(out), values(progress)) == (after, expected)
    writer.commit([OutMessage(out, b"k", b"3"), OutMessage(progress, b"k", b"3")], {0: 3})
    assert (values(out), values(progress)) == ([*after, b"3"], [*expected, b"3"])
    assert hidden(tmp_path) == []


def test_the_crash_test_knows_all_steps(topics: tuple[str, str, str]) -> None:
    command = [sys.executable, "-c", CRASH, *topics, str(STEPS + 1)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"done after {STEPS}\n"


def test_an_uncommitted_leftover_is_forgotten_even_after_later_commits(topics: tuple[str, str, str]) -> None:
    """The crashed commit's topic is not touched again until the group has made other commits."""
    source, out, progress = topics
    command = [sys.executable, "-c", CRASH, *topics, str(COMMIT_STEP)]
    assert subprocess.run(command, check=False).returncode == 9
    writer = FileTransactionalWriter(source, "g")
    writer.start()
    for value in (b"3", b"4"):
        writer.commit([OutMessage(progress, b"k", value)], {0: 3})
    FileWriter().append(out, [(b"k", b"5")])
    assert (values(out), values(progress)) == ([b"1", b"5"], [b"1", b"3", b"4"])


def test_a_commit_that_cannot_be_shown_is_unknown_and_settled_by_the_next_start(
    topics: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, _ = topics
    writer = FileTransactionalWriter(source, "g")
    writer.start()

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(file_commit, "publish_segments", full_disk)
        with pytest.raises(UnknownCommitError, match="no space left"):
            writer.commit([OutMessage(out, b"k", b"1")], {0: 1})
    assert values(out) == []
    writer.start()
    assert values(out) == [b"1"]


def test_processes_append_side_by_side(topics: tuple[str, str, str]) -> None:
    script = """
import sys
from stream.logs.file_writer import FileWriter
writer = FileWriter()
for i in range(10):
    writer.append(sys.argv[1], [(b"k", f"{sys.argv[2]}-{i}-{j}".encode()) for j in range(3)])
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, topics[0], name]) for name in ("a", "b")]
    assert [process.wait() for process in processes] == [0, 0]
    found = values(topics[0])
    assert len(found) == 60
    for name in (b"a", b"b"):
        mine = [value for value in found if value.startswith(name)]
        assert mine == [b"%s-%d-%d" % (name, i, j) for i in range(10) for j in range(3)]


def test_a_reader_crosses_many_segments(topics: tuple[str, str, str]) -> None:
    writer = FileWriter()
    for i in range(10):
        writer.append(topics[0], [(b"k", b"%d-%d" % (i, j)) for j in range(i + 1)])
    reader = FileReader(topics[0])
    assert read_all(reader, batch=4)["value"].to_pylist() == [
        b"%d-%d" % (i, j) for i in range(10) for j in range(i + 1)
    ]
    for start in (0, 1, 5, 6, 54):
        reader.seek({0: start})
        assert reader.poll(1000, 0)["offset"].to_pylist() == list(range(start, 55))


def test_damage_is_named(topics: tuple[str, str, str], tmp_path: Path) -> None:
    for i in range(3):
        FileWriter().append(topics[0], [(b"k", b"%d" % i)])
    files = sorted((tmp_path / "items" / "partition=0").iterdir())
    files[1].unlink()
    with pytest.raises(SourceError, match="holds no offset 1"):
        FileReader(topics[0]).poll(10, 0)
    files[0].write_bytes(b"")
    with pytest.raises(SourceError, match="is damaged or gone"):
        FileReader(topics[0]).poll(10, 0)
    (tmp_path / "items" / "topic.json").write_text('{"format": 99}')
    with pytest.raises(SourceError, match=f"format 99; this version reads {file_topic.FORMAT}"):
        FileReader(topics[0])


def test_an_address_without_a_folder() -> None:
    with pytest.raises(SourceError, match="the topic file: names no folder; give file:DIR"):
        create_topic("file:", 1)
