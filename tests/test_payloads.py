"""Payloads by URI: what is fetched and what never is, limits, digests, and errors that may pass."""

import hashlib
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from shared import payloads
from shared.errors import SourceError, TransientError
from shared.payloads import load_image, load_images, read_payload
from shared.spec import Limits
from tests.images import encode, scene

LIMITS = Limits()
PICTURE = encode(scene(1))


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a picture, ünïcode.png"
    path.write_bytes(PICTURE)
    return path


class Store(MemoryFileSystem):  # type: ignore[misc]
    """An object store that fails as many times as it is told; stands in for s3fs."""

    protocol = "s3"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    failures: ClassVar[list[Exception]] = []
    bytes_read: ClassVar[list[int]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").lstrip("/")

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        file = super().open(path, mode, **options)
        return Counted(file.getvalue()) if mode == "rb" else file


class Counted(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        Store.bytes_read.append(len(data))
        return data


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Store]]:
    monkeypatch.setattr(payloads, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setitem(_registry, "s3", Store)
    Store.store.clear()
    Store.failures.clear()
    Store.bytes_read.clear()
    with fsspec.filesystem("s3").open("s3://bucket/a.png", "wb") as file:
        file.write(PICTURE)
    yield Store
    Store.clear_instance_cache()


def test_local_paths_and_file_uris(picture: Path) -> None:
    for form in (f"{picture}", f"file://{picture}", f"FILE://{picture}", f"file:{picture}"):
        pixels = load_image(form.encode(), digest(PICTURE), LIMITS)
        assert isinstance(pixels, np.ndarray) and (pixels == scene(1)).all(), form


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(path)).write_bytes(PICTURE)
    assert read_payload(path, 10**6) == PICTURE


NOT_FOUND = [
    "",
    "/no/such/file.png",
    "/etc/passwd/below-a-file.png",
    "/",
    "/tmp",
    "/dev/zero",
    "/dev/stdin",
    "relative.png",
    "./pyproject.toml",
    "~/x.png",
    "/tmp/with\nnewline",
    "/tmp/with\0nul",
    "\0",
    "/" + "a" * 5000,
    "/tmp/" + "b" * 300,
    "file://relative.png",
    "file://localhost/etc/passwd",
    "file://",
    "file:",
    "memory://x",
    "memory:x",
    "http://169.254.169.254/latest/meta-data/",
    "https://example.com/a.png",
    "HTTP://169.254.169.254/",
    "ftp://example.com/a.png",
    "zip://a.png::file:///tmp/x.zip",
    "zip::file:///tmp/x.zip",
    "simplecache::http://169.254.169.254/",
    "simplecache::s3://bucket/a.png",
    "reference://x",
    "github://org:repo@main/x.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "://x",
    "no scheme at all",
    "C:\\pictures\\a.png",
    "s3+http://169.254.169.254/",
    "localhost:8080/a.png",
    "*",
    "/tmp/*",
    "/tmp/{a,b}",
    "\u202e\ufffd\U0001f4a9",
]


MAY_PASS = [ConnectionError("reset"), TimeoutError("slow"), PermissionError("no"), RuntimeError("its own")]
FINAL = [FileNotFoundError(), IsADirectoryError(), NotADirectoryError(), ValueError("bad bucket name")]


@pytest.mark.parametrize("uri", NOT_FOUND)
def test_what_is_never_fetched_or_not_there(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection was opened for {uri}")

    monkeypatch.setattr(socket, "socket", refuse)
    assert load_image(uri.encode(), digest(b""), LIMITS) == "uri_not_found"


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert load_image(str(tmp_path / "pipe.png").encode(), digest(b""), LIMITS) == "uri_not_found"


def test_links_in_a_circle_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert load_image(str(tmp_path / "a.png").encode(), digest(b""), LIMITS) == "uri_not_found"


def test_statuses_in_their_order(tmp_path: Path, picture: Path) -> None:
    def status(data: bytes, declared: bytes, limits: Limits) -> object:
        picture.write_bytes(data)
        return load_image(str(picture).encode(), declared, limits)

    size = len(PICTURE)
    assert status(PICTURE, bytes(32), Limits(size - 1, 1)) == "payload_too_large"
    assert status(PICTURE, bytes(32), Limits(size, 1)) == "payload_changed"
    assert status(PICTURE, digest(PICTURE), Limits(size, 1)) == "image_too_large"
    assert status(b"text", digest(b"text"), LIMITS) == "image_invalid"
    assert status(b"", digest(b""), LIMITS) == "image_invalid"
    assert isinstance(status(PICTURE, digest(PICTURE), Limits(size, 160 * 120)), np.ndarray)


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no space
    assert len(read_payload(str(path).encode(), 1000) or b"") == 1001
    assert load_image(str(path).encode(), bytes(32), Limits(payload_bytes=1000)) == "payload_too_large"


def test_a_store_is_read_up_to_the_limit(store: type[Store]) -> None:
    pixels = load_image(b"s3://bucket/a.png", digest(PICTURE), LIMITS)
    assert isinstance(pixels, np.ndarray) and (pixels == scene(1)).all()
    assert load_image(b"s3://bucket/a.png", bytes(32), Limits(payload_bytes=10)) == "payload_too_large"
    assert store.bytes_read == [len(PICTURE), 11]
    assert load_image(b"s3://bucket/b.png", bytes(32), LIMITS) == "uri_not_found"


def test_a_chain_inside_an_allowed_scheme_is_only_a_path(store: type[Store]) -> None:
    assert load_image(b"s3://bucket/a.png::http://169.254.169.254/", bytes(32), LIMITS) == "uri_not_found"


@pytest.mark.parametrize(
    "error",
    [ConnectionError("reset"), TimeoutError("slow"), PermissionError("no"), RuntimeError("store's own")],
)
def test_errors_that_may_pass_are_tried_again(error: Exception, store: type[Store]) -> None:
    store.failures.extend([error] * 3)
    assert isinstance(load_image(b"s3://bucket/a.png", digest(PICTURE), LIMITS), np.ndarray)
    assert not store.failures
    store.failures.extend([error] * 4)
    with pytest.raises(TransientError, match=r"s3://bucket/a\.png.*tried 4 times") as caught:
        load_image(b"s3://bucket/a.png", digest(PICTURE), LIMITS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), IsADirectoryError(), NotADirectoryError(), ValueError("name")]
)
def test_final_errors_are_not_tried_again(error: Exception, store: type[Store]) -> None:
    store.failures.append(error)
    assert load_image(b"s3://bucket/a.png", bytes(32), LIMITS) == "uri_not_found"
    assert not store.failures


def test_a_package_that_is_missing_stops_with_a_sentence() -> None:
    with pytest.raises(SourceError, match=r"abfs://.*not installed.*install it"):
        load_image(b"abfs://container/a.png", bytes(32), LIMITS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_may_become_readable(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    picture.chmod(0)
    with pytest.raises(TransientError, match="make it readable"):
        load_image(str(picture).encode(), digest(PICTURE), LIMITS)


def test_want_of_memory_is_no_status(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.Image.Image.load", starve)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", starve)
    with pytest.raises(TransientError, match="not enough memory"):
        load_image(str(picture).encode(), digest(PICTURE), LIMITS)


def test_pieces_are_bounded_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{number}.png" for number in range(150)]
    contents = [encode(scene(number, 16, 12)) for number in range(150)]
    for path, data in zip(files, contents, strict=True):
        path.write_bytes(data)
    uris = pa.array([str(path).encode() for path in files], pa.binary())
    digests = pa.array([digest(data) for data in contents], pa.binary())
    files[70].unlink()
    pieces = list(load_images(uris, digests, LIMITS))
    assert [len(piece) for piece in pieces] == [64, 64, 22]
    for number, image in enumerate(image for piece in pieces for image in piece):
        if number == 70:
            assert image == "uri_not_found"
        else:
            assert isinstance(image, np.ndarray) and (image == scene(number, 16, 12)).all()
    monkeypatch.setattr(payloads, "_CHUNK_PIXELS", 16 * 12 * 10)
    assert [len(piece) for piece in load_images(uris[:35], digests[:35], LIMITS)] == [10, 10, 10, 5]
    assert list(load_images(uris[:0], digests[:0], LIMITS)) == []
