"""Files that survive a crash whole or not at all, and locks that do not survive their holder."""

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from shared.errors import CrossfadeError, SourceError

LOCK_SECONDS = 30.0


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a hidden name, sync it and rename it into place; then sync its folder."""
    hidden = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with hidden.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        hidden.rename(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """`write_whole` for bytes in hand."""
    write_whole(path, lambda file: file.write(data))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """`write_whole` for a JSON object."""
    write_bytes(path, orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def require_new(folder: Path, advice: str) -> None:
    """SourceError where there is anything but an empty folder, or nothing."""
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder} is no folder; {advice}")
    if folder.exists() and any(folder.iterdir()):
        raise SourceError(f"{folder} is not empty; {advice}")


def sync_folder(folder: Path) -> None:
    """Make renames in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, what: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file; the system frees it when its holder dies. CrossfadeError when it stays held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise CrossfadeError(
                        f"another process uses {what} (it holds {path}); stop it or wait for its end."
                    ) from None
                time.sleep(0.005)
        yield
