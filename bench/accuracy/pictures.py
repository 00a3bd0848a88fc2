"""The attacked pictures, made once, and the events of a run over them."""

import hashlib
import importlib.metadata
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench import attacks
from bench.accuracy.protocol import Protocol, Query
from shared.errors import SourceError
from shared.images import decode_image
from shared.processes import end_with_parent, interrupts_held
from shared.source_events import event_value
from shared.spec import Limits

FIRST_TIME = 1_750_000_000_000
T = TypeVar("T")
R = TypeVar("R")


def make(protocol: Protocol, cache: Path) -> tuple[Path, float]:
    """(folder of the queries' pictures, each at its item's id; seconds it took). What is there stays.

    The folder's name stands for the photographs' bytes and for the code and libraries that attack them.
    """
    started = time.monotonic()
    folder = cache / f"pictures-{_digest(protocol)}"
    folder.mkdir(parents=True, exist_ok=True)
    work = [(name, list(group)) for name, group in groupby(sorted(protocol.queries, key=_name), key=_name)]
    for _ in pooled(partial(_attack, protocol.root, folder), work, "attacking photographs"):
        pass
    return folder, time.monotonic() - started


def read(path: Path) -> npt.NDArray[np.uint8]:
    """uint8[height, width, 3], decoded as the engines decode it. SourceError where that fails."""
    pixels = decode_image(path.read_bytes(), Limits().image_pixels)
    if isinstance(pixels, str):
        raise SourceError(f"{path} cannot be used as a photograph ({pixels}); take it out of the collection")
    return pixels


def paths(protocol: Protocol, folder: Path) -> list[Path]:
    """The file of each of protocol.items: the photographs of the database as they are."""
    shown = [protocol.root / name for name in protocol.database]
    return shown + [folder / query.item for query in protocol.queries]


def write_events(protocol: Protocol, files: list[Path], output: Path) -> None:
    """A JSONL file of upserts, a second apart: the database first, then the queries."""
    with output.open("wb") as file:
        for number, (item, path) in enumerate(zip(protocol.items, files, strict=True)):
            payload = {
                "uri": str(path.resolve()),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            file.write(event_value(item, "upsert", FIRST_TIME + 1000 * number, payload) + b"\n")


def pooled(work: Callable[[T], R], given: list[T], what: str) -> Iterator[R]:
    """work(x) of each x, in order, in a process for each core; progress on stderr.

    Spawned, since a fork of a process with threads (numba's, OpenCV's, Java's) may hang.
    """
    with interrupts_held():
        pool = multiprocessing.get_context("spawn").Pool(initializer=end_with_parent)
    with pool, progress(what, len(given)) as report:
        for number, result in enumerate(pool.imap(work, given), 1):
            report(number)
            yield result


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A line on stderr: on a terminal written anew ten times a second, elsewhere one every half minute."""
    terminal = sys.stderr.isatty()
    every = 0.1 if terminal else 30.0
    started = last = time.monotonic()

    def report(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            left = (now - started) / done * (total - done)
            end = "\r" if terminal else "\n"
            print(
                f"{what}: {done:,} of {total:,}, {left:,.0f} s left   ", end=end, file=sys.stderr, flush=True
            )

    yield report
    if terminal:
        print(" " * 80, end="\r", file=sys.stderr, flush=True)


def _attack(root: Path, folder: Path, work: tuple[str, Iterable[Query]]) -> None:
    """Write the pictures of one photograph that are not there."""
    photograph, queries = work
    missing = [query for query in queries if not (folder / query.item).exists()]
    if not missing:
        return
    image = Image.fromarray(read(root / photograph))
    (folder / photograph).mkdir(parents=True, exist_ok=True)
    for query in missing:
        attack = attacks.ATTACKS[query.attack]
        rng = attacks.generator(photograph, query.attack)
        unfinished = folder / f"{query.item}.unfinished"
        unfinished.write_bytes(attack.file(image, rng))
        unfinished.rename(folder / query.item)


def _digest(protocol: Protocol) -> str:
    """Of all that decides what is in the folder's files, whatever is in the database or a control."""
    digest = hashlib.sha256(Path(attacks.__file__).read_bytes())
    for library in ("numpy", "pillow", "scikit-image", "scipy"):
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    digest.update(str(protocol.root.resolve()).encode())
    for photograph in sorted((*protocol.attacked, *protocol.controls)):
        content = hashlib.sha256((protocol.root / photograph).read_bytes()).hexdigest()
        digest.update(f"{photograph} {content}\n".encode())
    return digest.hexdigest()[:12]


def _name(query: Query) -> str:
    return query.photograph
