"""A state is read while another process has it open, as it was when the reader came."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import SourceError
from stream.stores import open_store, read_store

ROOT = Path(__file__).parents[2]
OWNER = """
import sys
from pathlib import Path
from stream.stores import open_store
store = open_store(Path(sys.argv[1]))
for line in sys.stdin:
    key = line.strip().encode()
    store.write({"items": {key: b"1"}, "edges": {key: b"2"}})
    print("written", flush=True)
"""


class Owner:
    """A process that owns the state and writes into it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", OWNER, str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def write(self, key: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{key}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "written\n"

    def end(self) -> None:
        self.process.communicate(timeout=20)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner(tmp_path / "state")
    yield owner
    owner.end()


def test_what_is_written_is_read_and_what_comes_later_is_not(owner: Owner, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    owner.write("a")
    with pytest.raises(SourceError, match="it is open elsewhere; stop that consumer"):
        open_store(folder)
    files = sorted(path.name for path in folder.iterdir())
    reader = read_store(folder)
    assert reader.get_many("items", [b"a", b"b"]) == [b"1", None]
    owner.write("b")
    assert reader.get_many("items", [b"a", b"b"]) == [b"1", None]
    assert list(reader.scan("edges")) == [(b"a", b"2")]
    reader.close()
    assert sorted(path.name for path in folder.iterdir()) == files  # it wrote nothing there
    again = read_store(folder)
    assert list(again.scan("edges", b"b")) == [(b"b", b"2")]
    again.close()
    owner.write("c")  # the owner goes on


def test_readers_do_not_hold_the_lock(tmp_path: Path) -> None:
    open_store(tmp_path / "state").close()
    reader = read_store(tmp_path / "state")
    owner = open_store(tmp_path / "state")
    owner.write({"items": {b"a": b"1"}})
    owner.close()
    reader.close()


def test_what_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no state; name the --state folder of a consumer"):
        read_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_store(folder).close()
    for path in folder.glob("MANIFEST*"):
        path.unlink()
    with pytest.raises(
        SourceError, match=r"the state in .* cannot be read: .*; if a consumer works in it, try"
    ):
        read_store(folder)


def test_a_state_that_went_away(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_store(folder).close()
    shutil.rmtree(folder)
    with pytest.raises(SourceError, match="holds no state"):
        read_store(folder)


def write_a_file(folder: Path, values: bytes) -> None:
    store = open_store(folder)
    store.write({family: {b"%05d" % n: values for n in range(2_000)} for family in ("items", "edges")})
    store.close()
    open_store(folder).close()  # moves the log into files


def test_files_that_the_owner_removes_stay_readable(tmp_path: Path) -> None:
    for values in (b"1", b"2"):
        write_a_file(tmp_path / "state", values)
    owner = open_store(tmp_path / "state")
    reader = read_store(tmp_path / "state")
    before = set((tmp_path / "state").glob("*.sst"))
    owner._families["items"].compact_range(None, None)  # type: ignore[attr-defined]
    assert not before <= set((tmp_path / "state").glob("*.sst"))
    assert [value for _, value in reader.scan("items")] == [b"2"] * 2_000
    reader.close()
    owner.close()


def test_every_file_that_is_lost_or_cut_is_noticed(tmp_path: Path) -> None:
    """A reader that passed over one would export a part of the state as if it were all."""
    for values in (b"1", b"2"):
        write_a_file(tmp_path / "state", values)
    files = sorted(path.name for path in (tmp_path / "state").glob("*.sst"))
    assert len(files) >= 4
    for name in files:
        for damage in (Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])):
            shutil.copytree(tmp_path / "state", tmp_path / "copy")
            damage(tmp_path / "copy" / name)
            with pytest.raises(SourceError, match=r"(?s)copy cannot be read: .*with a new --state"):
                read_store(tmp_path / "copy")
            shutil.rmtree(tmp_path / "copy")
