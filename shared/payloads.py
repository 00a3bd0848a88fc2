"""Payloads by URI: read, checked against their digest and decoded, a bounded piece at a time.

What a record says must never make this process fetch what its author chose, so a URI is taken apart
here, not by fsspec:
- `SCHEMES` is all there is. Object stores and HDFS are reached with the operator's own settings
  (fsspec's configuration, credentials of the environment); of the URI only the path is used. http and
  https are left out on purpose: there the record would name the host, a cloud's metadata address
  (169.254.169.254) or a redirect to it included. Copy such pictures into a store, or publish files.
- Chains (`zip::`, `simplecache::`) and fsspec's other schemes (`memory:`, `github:`, `reference:`)
  are schemes it does not know: `uri_not_found`.
- A local path must be absolute, or the answer would depend on where a process was started, and a
  regular file: a pipe or a device would block or never end.
"""

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.errors import SourceError, TransientError
from shared.images import decode_image

SCHEMES = ("file", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs")
RETRY_SECONDS = (0.1, 0.4, 1.6)  # waits before the second, third and fourth attempt

_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HADOOP_FILE = re.compile(rb"file:(/[^/].*)", re.DOTALL)  # file:/a/b, as Hadoop writes it
_CHUNK_ITEMS = 64
_CHUNK_PIXELS = 32_000_000

# Answers about the URI itself, not about the moment.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)


class PayloadLimits(Protocol):
    """What the spec's limits give: greatest number of bytes and of pixels."""

    @property
    def payload_bytes(self) -> int: ...

    @property
    def image_pixels(self) -> int: ...


def load_images(
    uris: pa.Array, digests: pa.Array, limits: PayloadLimits
) -> Iterator[list[npt.NDArray[np.uint8] | str]]:
    """Pictures of n URIs (binary), in order, in lists of at most 64 items or about 32 million pixels.

    An item is uint8[height, width, 3] RGB, or the status that says why there is none. digests: the
    declared sha256 of each, binary of 32 bytes. TransientError when bytes cannot be had now.
    """
    piece: list[npt.NDArray[np.uint8] | str] = []
    pixels = 0
    for uri, digest in zip(uris, digests, strict=True):
        image = load_image(uri.as_py(), digest.as_py(), limits)
        piece.append(image)
        pixels += 0 if isinstance(image, str) else image.shape[0] * image.shape[1]
        if len(piece) == _CHUNK_ITEMS or pixels >= _CHUNK_PIXELS:
            yield piece
            piece, pixels = [], 0
    if piece:
        yield piece


def load_image(uri: bytes, digest: bytes, limits: PayloadLimits) -> npt.NDArray[np.uint8] | str:
    """One picture, or its status: the first that applies in the order of docs/semantics.md."""
    data = read_payload(uri, limits.payload_bytes)
    if data is None:
        return "uri_not_found"
    if len(data) > limits.payload_bytes:
        return "payload_too_large"
    if hashlib.sha256(data).digest() != digest:
        return "payload_changed"
    try:
        return decode_image(data, limits.image_pixels)
    except MemoryError as error:
        raise TransientError(
            f"not enough memory to decode {_shown(uri)}; give the process more, or lower limits.image_pixels"
        ) from error


def read_payload(uri: bytes, max_bytes: int) -> bytes | None:
    """The bytes behind a URI, at most max_bytes + 1 of them; None if its scheme is unknown or nothing is
    there. Errors that may pass (time-outs, refused permission, ...) are tried again, then TransientError.
    """
    scheme, path = _split(uri)
    if scheme == "file":
        return _retry(uri, lambda: _read_local(path, max_bytes))
    if scheme in SCHEMES:
        return _retry(uri, lambda: _read_remote(scheme, uri, max_bytes))
    return None


def _split(uri: bytes) -> tuple[str, bytes]:
    """(scheme, path). Whatever has no `scheme://` is a local path."""
    match = _HADOOP_FILE.fullmatch(uri)
    if match:
        return "file", match[1]
    match = _SCHEME.fullmatch(uri)
    return (match[1].decode("ascii").lower(), match[2]) if match else ("file", uri)


def _read_local(path: bytes, max_bytes: int) -> bytes | None:
    file = Path(os.fsdecode(path))  # the same bytes on disk in any locale
    if not file.is_absolute() or not file.is_file():
        return None
    with file.open("rb") as opened:
        return opened.read(max_bytes + 1)


def _read_remote(scheme: str, uri: bytes, max_bytes: int) -> bytes | None:
    try:
        filesystem = fsspec.filesystem(scheme)
    except ImportError as error:
        raise SourceError(
            f"payloads at {scheme}:// need a package that is not installed: {error}; install it and run again"
        ) from error
    path = filesystem._strip_protocol(uri.decode("utf-8"))
    with filesystem.open(path, "rb") as file:
        data: bytes = file.read(max_bytes + 1)
        return data


def _retry(uri: bytes, read: Callable[[], bytes | None]) -> bytes | None:
    for wait in (*RETRY_SECONDS, None):
        try:
            return read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
            return None  # ValueError: a path or bucket name that cannot exist
        except SourceError:
            raise
        except Exception as error:
            # Stores raise their own classes as well as OSError. What is not known to be final may pass.
            if isinstance(error, OSError) and error.errno in _NOT_THERE:
                return None
            if wait is None:
                raise TransientError(
                    f"cannot read the payload {_shown(uri)} ({error}), tried "
                    f"{len(RETRY_SECONDS) + 1} times; make it readable and run again"
                ) from error
            time.sleep(wait)
    raise AssertionError("unreachable")


def _shown(uri: bytes) -> str:
    return repr(uri.decode("utf-8", "replace"))
