"""A codebook from a folder of pictures, and what it is worth on pictures that it was not trained on.

The same files under the same paths in the folder give the same bytes, in any order of finding them and with
any number of workers: which pictures are read and which of their features are drawn follows from the paths
and the features alone.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from shared import codebook, codebook_check
from shared.codebook import Bytes, Codebook
from shared.codebook_check import Check
from shared.errors import CrossfadeError, SourceError
from shared.extractors import sift
from shared.extractors.sift import LocalFeatures
from shared.extractors.words import VisualWords
from shared.images import decode_image
from shared.processes import end_with_parent, interrupts_held
from shared.sources import IMAGE_SUFFIXES, picture_names
from shared.spec import Limits

HELD_OUT = 10  # one picture of so many is not trained on
MOST_HELD_OUT = 200  # their features are in memory until the end
FEW_FEATURES = 50  # of a picture, where the limit lets no picture have more: further pictures are not read

_CHUNK = 4  # pictures sent to a worker at a time
_LIMITS = Limits()

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Training:
    """What to train. features: at most so many are held in memory and trained on (128 bytes each).

    side, count: as the extractor's. check: hold pictures out and judge the codebook by them.
    """

    side: int = VisualWords.side
    count: int = VisualWords.count
    seed: int = 1
    rounds: int = 20
    features: int = 500_000
    check: bool = True


@dataclass(frozen=True)
class Trained:
    """A codebook and where it came from.

    found: pictures in the folder. pictures, features: trained on, at most per_picture features of a picture.
    left_out: (name, why) of pictures that were read and give no features. skipped: files that are no
    pictures by their suffix. check: None where nothing was held out.
    """

    codebook: Codebook
    found: int
    pictures: int
    features: int
    per_picture: int
    left_out: tuple[tuple[str, str], ...]
    skipped: int
    check: Check | None


def train_folder(
    folder: Path, training: Training, workers: int, progress: Progress = lambda step, done, total: None
) -> Trained:
    """A codebook of the pictures under `folder`, read by `workers` processes (0 or 1: this one).

    progress: called with a step, how much of it is done, and of how much. SourceError: no folder, or no
    pictures in it; SpecError: too few features, or settings that no spec may have.
    """
    extractor = VisualWords(side=training.side, count=training.count)
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder; give one with pictures, at any depth")
    names, skipped = picture_names(folder)
    if not names:
        raise SourceError(f"{folder} holds no picture ({', '.join(IMAGE_SUFFIXES)})")
    trained, held_out = choose(names, training)
    per_picture = training.features // len(trained)
    parts: list[Bytes] = []
    views: list[list[LocalFeatures]] = []
    left_out: list[tuple[str, str]] = []
    with _mapping(workers) as run:
        sampled = run(partial(_sample, folder, extractor, per_picture), trained)
        viewed = run(partial(_views, folder, extractor), held_out)
        total = len(trained) + len(held_out)
        for done, (name, part) in enumerate(zip(trained, sampled, strict=True), 1):
            left_out.append((name, part)) if isinstance(part, str) else parts.append(part)
            progress("reading pictures", done, total)
        for done, (name, view) in enumerate(zip(held_out, viewed, strict=True), len(trained) + 1):
            left_out.append((name, view)) if isinstance(view, str) else views.append(view)
            progress("reading pictures", done, total)
    made = codebook.train(
        parts,
        training.seed,
        training.rounds,
        lambda done: progress("rounds of k-means", done, 2 * training.rounds),
    )
    check = codebook_check.check(made, np.concatenate(parts), views) if views else None
    return Trained(
        made, len(names), len(parts), sum(map(len, parts)), per_picture, tuple(left_out), skipped, check
    )


def choose(names: Sequence[str], training: Training) -> tuple[list[str], list[str]]:
    """(to train on, held out) of the names of pictures; by the sha256 of a name, so that neither is one
    corner of the folder."""
    by_chance = sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    held_out = min(len(names) // HELD_OUT, MOST_HELD_OUT) if training.check else 0
    read = by_chance[held_out:][: max(1, training.features // FEW_FEATURES)]
    return sorted(read, key=os.fsencode), by_chance[:held_out]


class _Map(Protocol):
    def __call__(self, function: Callable[[str], T], names: Sequence[str], /) -> Iterator[T]: ...


@contextmanager
def _mapping(workers: int) -> Iterator[_Map]:
    """The function `map`, its work done by processes; its answers come in order."""
    if workers <= 1:
        yield map
        return
    # Spawned as in the consumer: nothing depends on what this process has open.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=end_with_parent)

    def spread(function: Callable[[str], T], names: Sequence[str], /) -> Iterator[T]:
        with interrupts_held():
            return pool.map(function, names, chunksize=_CHUNK)

    try:
        yield spread
    except BrokenProcessPool:
        raise CrossfadeError(
            "a process that reads pictures was killed, most often by the system for want of memory; "
            "run it again with fewer --workers or more memory"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _sample(folder: Path, extractor: VisualWords, most: int, name: str) -> Bytes | str:
    """Descriptors uint8[n, 128] of one picture, or why there are none.

    Of more than `most` they are drawn evenly, from the strongest to the weakest.
    """
    found = _featured(folder / name, extractor)
    if isinstance(found, str):
        return found
    _, features = found
    n = len(features)
    return features.descriptors if n <= most else features.descriptors[np.arange(most) * n // most]


def _views(folder: Path, extractor: VisualWords, name: str) -> list[LocalFeatures] | str:
    """Features of one picture and then of its variants, or why there are none."""
    found = _featured(folder / name, extractor)
    if isinstance(found, str):
        return found
    picture, plain = found
    made = codebook_check.variants(picture)
    return [plain, *(sift.detect(variant, extractor.side, extractor.count) for variant in made)]


def _featured(file: Path, extractor: VisualWords) -> tuple[Pixels, LocalFeatures] | str:
    """A picture and its features, or why there are none."""
    picture = _picture(file)
    if isinstance(picture, str):
        return picture
    features = extractor.local_features(picture)
    return "no_features" if features is None else (picture, features)


def _picture(file: Path) -> Pixels | str:
    """uint8[height, width, 3] RGB, or why there is none: a status of docs/semantics.md or `unreadable`."""
    try:
        if not file.is_file():  # a pipe would block
            return "unreadable"
        with file.open("rb") as opened:
            data = opened.read(_LIMITS.payload_bytes + 1)
    except OSError:
        return "unreadable"
    if len(data) > _LIMITS.payload_bytes:
        return "payload_too_large"
    try:
        return decode_image(data, _LIMITS.image_pixels)
    except MemoryError:
        raise CrossfadeError(
            f"not enough memory to decode {file}; give the command more or fewer --workers, or take it out"
        ) from None
