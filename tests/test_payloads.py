"""Payloads by URI: what is fetched and what never is, limits, digests, and errors that may pass."""

import errno
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
from click.testing import CliRunner
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from cli.main import main
from shared import payloads
from shared.errors import CrossfadeError, TransientError
from shared.payloads import load_image, load_images, read_payload
from shared.spec import Limits
from shared.uris import Location, check_schemes, locate
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

    def info(self, path: str, **options: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        return super().info(path, **options)

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
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
    monkeypatch.setenv("CROSSFADE_URI_SCHEMES", "file, s3://bucket")
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
    "/proc/self/mem",
    "file:///proc/self/mem",
    "//proc/self/mem",
    "/tmp/../proc//self/./mem",
    "/proc/self/root/etc/passwd",
    "/sys/kernel/mm/hugepages",
    "/etc/mtab",
    "s3://bucket/a.png",
    "s3a://bucket/a.png",
    "gs://bucket/a.png",
    "abfs://container/a.png",
    "hdfs://169.254.169.254/x",
    "hdfs://x/",
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
    with fsspec.filesystem("s3").open("s3://bucket/folder/a.png", "wb") as file:
        file.write(PICTURE)
    assert load_image(b"s3://bucket/folder", bytes(32), LIMITS) == "uri_not_found"


NO_OBJECT = [
    "s3://",
    "s3:///a.png",
    "s3://bucket",
    "s3://bucket/",
    "s3://bucket/../a.png",
    "s3://bucket/\0",
    "s3://bucket/" + "k" * 1025,
    "s3://b/a.png",
    "s3://other/a.png",
    "s3://169.254.169.254:80/a.png",
    "s3a://bucket/a.png",
]


@pytest.mark.parametrize("uri", NO_OBJECT)
def test_no_store_is_asked_for_what_is_not_enabled_or_no_object(uri: str, store: type[Store]) -> None:
    store.failures.append(PermissionError("asked"))
    assert load_image(uri.encode(), bytes(32), LIMITS) == "uri_not_found"
    assert store.failures


def test_a_key_that_is_not_utf8_is_no_object(store: type[Store]) -> None:
    assert read_payload(b"s3://bucket/\xff", 100) is None


def test_names_that_no_store_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    every = {"CROSSFADE_URI_SCHEMES": "s3,hdfs,abfs"}
    for name in ("ab", "a..b", "-ab", "ab.", "a b", "a:b", "a" * 256):
        assert locate(f"s3://{name}/key".encode(), every) is None, name
    assert locate(b"s3://a.b-c_9/k/e/y", every) == Location("s3", b"s3://a.b-c_9/k/e/y")
    assert locate(b"abfs://box@account.dfs.core.windows.net/k", every) is not None
    assert locate(b"hdfs:///user/a.png", every) and locate(b"hdfs://name:8020/user/a.png", every)
    assert locate(b"hdfs:///user/a:b.png", every) is None
    assert locate(b"hdfs:///user/" + b"n" * 256, every) is None
    assert locate(b"/etc/passwd", every) is None


def test_a_bare_scheme_enables_every_bucket_and_nothing_local(
    store: type[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSFADE_URI_SCHEMES", "s3")
    assert read_payload(b"s3://bucket/a.png", 10**6) == PICTURE
    assert read_payload(b"/etc/passwd", 10**6) is None


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


@pytest.mark.parametrize("entry", ["http", "memory", "s3://bucket/folder", "file://x", "s4"])
def test_what_cannot_be_enabled_is_said_at_the_start(entry: str) -> None:
    with pytest.raises(CrossfadeError, match=f"CROSSFADE_URI_SCHEMES enables '{entry}'"):
        check_schemes({"CROSSFADE_URI_SCHEMES": f"file,{entry}"})


def test_a_package_that_is_missing_is_said_at_the_start(store: type[Store]) -> None:
    check_schemes({})
    check_schemes({"CROSSFADE_URI_SCHEMES": "file,s3,s3://bucket"})
    with pytest.raises(CrossfadeError, match=r"abfs://.*install adlfs.*CROSSFADE_URI_SCHEMES"):
        check_schemes({"CROSSFADE_URI_SCHEMES": "abfs://container"})


@pytest.mark.parametrize("command", ["consume", "backfill"])
def test_both_commands_check_the_schemes_before_anything(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSFADE_URI_SCHEMES", "abfs")
    source = (
        ["--topic", "memory:none", "--state"] if command == "consume" else ["--input", "none", "--output"]
    )
    found = CliRunner().invoke(main, [command, "--spec", "photos-small", *source, str(tmp_path / "new")])
    assert isinstance(found.exception, SystemExit) and found.exit_code == 2
    assert "install adlfs" in found.output
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_not_there(picture: Path) -> None:
    picture.chmod(0)
    assert load_image(str(picture).encode(), digest(PICTURE), LIMITS) == "uri_not_found"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EIO, errno.ENXIO, errno.EINVAL])
def test_local_errors_that_the_path_causes_are_final(
    code: int, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = failing(code, monkeypatch)
    assert load_image(str(picture).encode(), digest(PICTURE), LIMITS) == "uri_not_found"
    assert len(tried) == 1


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EMFILE, errno.ENOMEM])
def test_local_errors_of_an_outage_may_pass(
    code: int, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = failing(code, monkeypatch)
    with pytest.raises(TransientError, match="tried 4 times; make it readable"):
        load_image(str(picture).encode(), digest(PICTURE), LIMITS)
    assert len(tried) == 4


def failing(code: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every file fails to open from now on. Grows by one for each attempt."""
    tried: list[str] = []

    def fail(path: Path, mode: str) -> None:
        tried.append(mode)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", fail)
    monkeypatch.setattr(payloads, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    return tried


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
