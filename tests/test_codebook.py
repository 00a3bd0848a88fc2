"""Codebooks: words by the nearest centroid, exactly; and files that only pretend to be one."""

import io
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from shared import codebook
from shared.codebook import CENTROIDS, SHAPE
from shared.errors import SpecError
from shared.extractors import make
from tests.oracle_images import read_codebook, word_of

Bytes = np.ndarray


def naive(points: Bytes, centroids: Bytes) -> list[int]:
    """The first centroid at the least sum of squares, in Python's integers."""
    out = []
    for point in points.tolist():
        sums = [sum((p - c) ** 2 for p, c in zip(point, row, strict=True)) for row in centroids.tolist()]
        out.append(sums.index(min(sums)))
    return out


def test_the_nearest_centroid_is_exact_to_the_last_unit() -> None:
    """Extremes, and points between two centroids: where float32 would round, the wrong one would win."""
    rng = np.random.default_rng(3)
    centroids = rng.integers(0, 256, (40, 64)).astype(np.uint8)
    centroids[1], centroids[2], centroids[3] = 255, 0, centroids[0]  # 3 equals 0: the first wins
    centroids[4] = 254
    centroids[5] = centroids[6]
    centroids[5, 0] ^= 1
    points = rng.integers(0, 256, (30, 64)).astype(np.uint8)
    points[0], points[1], points[2] = 255, 0, centroids[0]
    points[3] = (centroids[7].astype(int) + centroids[8]) // 2
    points[4] = 255
    points[4, 0] = 254
    points[5] = centroids[6]
    points[6, :32], points[6, 32:] = 254, 255  # midway between 1 and 4: the first wins
    found = codebook.nearest(points, centroids)
    assert found.tolist() == naive(points, centroids)
    assert found[2] == 0 and found[6] == 1
    assert codebook.nearest(points[:0], centroids).tolist() == []


def test_batches_do_not_matter() -> None:
    points = np.random.default_rng(4).integers(0, 256, (4097 + 4096, 64)).astype(np.uint8)
    centroids = codebook.load("photos-1").centroids[1]
    whole = codebook.nearest(points, centroids)
    for at in (0, 1, 4095, 4096, 4097, 8191, 8192):
        assert codebook.nearest(points[at : at + 1], centroids)[0] == whole[at]


def test_a_word_is_both_halves() -> None:
    rng = np.random.default_rng(5)
    descriptors = np.minimum(rng.exponential(20, (50, 128)), 255).astype(np.uint8)
    book = codebook.load("photos-1")
    assert book.words(descriptors).tolist() == [
        word_of("photos-1", tuple(row)) for row in descriptors.tolist()
    ]
    own = np.concatenate([book.centroids[0, 700], book.centroids[1, 3]])[None]
    assert book.words(own).tolist() == [700 << 10 | 3]


def test_the_shipped_codebook_is_what_it_was() -> None:
    """For ever: contracts hold its digest. Another one needs another name."""
    assert codebook.names() == ["photos-1"]
    book = codebook.load("photos-1")
    assert book.digest == "4a8f29717ba0ca2c6f5b93c4fbb17df9"
    assert book.centroids.shape == SHAPE and not book.centroids.flags.writeable
    centroids, stopped = read_codebook("photos-1")
    assert (book.centroids == centroids).all()
    assert len(book.stop_words) == 670 and set(book.stop_words.tolist()) == stopped


def test_a_file_is_read_back(tmp_path: Path) -> None:
    centroids = np.random.default_rng(6).integers(0, 256, SHAPE).astype(np.uint8)
    digests = set()
    for number, stop_words in enumerate(([], [7], [0, 3, 2**20 - 1], range(2**20))):
        book = codebook.make(centroids, np.array(stop_words, np.int64))
        path = tmp_path / f"{number}.npy"
        path.write_bytes(codebook.to_bytes(book))
        read = codebook.load(str(path))
        assert (read.centroids == centroids).all() and read.digest == book.digest
        assert read.stop_words.tolist() == list(stop_words)
        with (tmp_path / "numpy.npy").open("wb") as file:
            np.save(file, centroids)
            np.save(file, np.array(stop_words, "<u4"))
        assert (tmp_path / "numpy.npy").read_bytes() == path.read_bytes()
        assert codebook.make(np.asfortranarray(centroids), book.stop_words).digest == book.digest
        digests.add(book.digest)
    assert len(digests) == 4


def test_the_stop_list_is_of_what_is_64_times_as_frequent_as_the_mean() -> None:
    """A word counts once a picture; in fewer than ten pictures nothing is frequent."""
    everywhere, often, seldom, repeated = 5, 2**20 - 1, 9, 11
    pictures = []
    for picture in range(800):
        words = [everywhere, *range(1000 + 300 * picture, 1299 + 300 * picture)]
        words += [often] * (picture < 15) + [seldom] * (picture < 14) + [repeated] * 50 * (picture == 3)
        pictures.append(np.array(words))
    # 800 x 300 + 15 + 14 + 1 words; 64 / 2^20 of them are 14.7
    assert codebook.frequent(pictures).tolist() == [everywhere, often]
    assert codebook.frequent(pictures[:10]).tolist() == [everywhere, seldom, often]
    assert codebook.frequent(pictures[:9]).tolist() == codebook.frequent([]).tolist() == []
    book = codebook.make(codebook.load("photos-1").centroids, np.array([3, 9]))
    assert book.stopped(np.array([9, 2, 3, 3])).tolist() == [True, False, True, True]


class Code:
    """Unpickled, it would say so in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def saved(array: np.ndarray, save: object = np.save) -> bytes:
    file = io.BytesIO()
    save(file, array)  # type: ignore[operator]
    return file.getvalue()


def header(text: str) -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def pretenders(marker: Path) -> dict[str, bytes]:
    good = codebook.to_bytes(codebook.load("photos-1"))
    centroids = codebook.load("photos-1").centroids
    shape = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"
    return {
        "empty": b"",
        "text": b"a codebook",
        "cut": good[:-1],
        "longer": good + b"\0",
        "four bytes longer": good + bytes(4),
        "without a stop list": good[: 128 + centroids.size],
        "a stop list of bytes": saved(centroids) + saved(np.arange(8, dtype=np.uint8)),
        "a stop list by big ends": saved(centroids) + saved(np.arange(8, dtype=">u4")),
        "a stop list of two axes": saved(centroids) + saved(np.arange(8, dtype="<u4").reshape(2, 4)),
        "a stop list out of order": saved(centroids) + saved(np.array([1, 3, 2], "<u4")),
        "a stop list with a word twice": saved(centroids) + saved(np.array([1, 3, 3], "<u4")),
        "a stop list with a word too great": saved(centroids) + saved(np.array([1, 2**20], "<u4")),
        "three arrays": good + saved(np.arange(8, dtype="<u4")),
        "header alone": good[:128],
        "no header": good[128:],
        "pickle": pickle.dumps(Code(marker)),
        "pickle inside": saved(np.array([Code(marker)], object)),
        "pickle inside, of the right length": saved(np.array([Code(marker)], object)).ljust(len(good), b"\0"),
        "zip": saved(centroids, np.savez),
        "broken zip": b"PK\x03\x04" + good,
        "floats": saved(centroids.astype(np.float32)),
        "signed": saved(centroids.view(np.int8)),
        "flat": saved(centroids.reshape(-1)),
        "one centroid less": saved(centroids[:, :-1]),
        "by columns": saved(np.asfortranarray(centroids)),
        "a petabyte by its header": header(shape % "(2, 1024, 1000000000000)") + good[128:],
        "a negative shape": header(shape % "(-2, 1024, 64)") + good[128:],
        "an open bracket": header("((((((((((") + good[128:],
        "an open string": header("{'descr': '''") + good[128:],
        "code for a header": header(f"open({str(marker)!r}, 'w').close()") + good[128:],
        "version 9": good.replace(b"NUMPY\x01", b"NUMPY\x09", 1),
    }


@pytest.mark.parametrize("name", pretenders(Path("/")))
def test_a_file_that_is_no_codebook_is_refused_and_nothing_runs(name: str, tmp_path: Path) -> None:
    path, marker = tmp_path / "book.npy", tmp_path / "marker"
    path.write_bytes(pretenders(marker)[name])
    message = (
        r"is not a file of two numpy arrays, uint8\[2, 1024, 64\] and uint32\[n\]; "
        "`crossfade train-codebook` writes one"
    )
    with pytest.raises(SpecError, match=message):
        codebook.load(str(path))
    with pytest.raises(SpecError, match=r"image.words: codebook '.*book\.npy' is not a file of two"):
        make("image.words", {"codebook": str(path)})
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["", ".", "photos-2", "/nowhere/book.npy", "a\0b", "x" * 5000, "../presets/text"]
)
def test_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=r"neither one that ships with crossfade \(photos-1\) nor a file"):
        codebook.load(name)


def test_training_is_a_function_of_the_descriptors_and_the_seed() -> None:
    rng = random.Random(7)
    descriptors = np.array(
        [[rng.randrange(256) for _ in range(128)] for _ in range(CENTROIDS + 100)], np.uint8
    )
    seen: list[int] = []
    pictures = [descriptors[:1000], descriptors[:0], *[descriptors[1000:]] * 10]
    one = codebook.train(pictures, seed=1, rounds=2, progress=seen.append)
    assert seen == [1, 2, 3, 4]
    assert one.stop_words.tolist() == codebook.frequent([one.words(own) for own in pictures]).tolist()
    assert len(one.stop_words) > 50  # those of the ten pictures that are one
    assert codebook.train(pictures, seed=1, rounds=2).digest == one.digest
    assert codebook.train(pictures, seed=2, rounds=2).digest != one.digest
    with pytest.raises(SpecError, match="1023 local features are too few for 1024 centroids; add pictures"):
        codebook.train([descriptors[:1023]], seed=1, rounds=1)
