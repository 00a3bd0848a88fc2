"""Payloads by URI: read, checked against their digest and decoded, a bounded piece at a time.

Which URIs are read at all is in shared/uris.py. An error becomes a status where the record's author can
cause it, and stops the run (TransientError) where only an outage of the operator's can:
- Of local files the errors in `_MAY_PASS` are outages. All others are properties of the path that the
  record chose (permission, no file, a bad sector, a file whose reads always fail).
- Of an enabled store all errors may pass but those that say that nothing is there. A permission that is
  refused is most often an expired credential.
"""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.errors import CrossfadeError, TransientError
from shared.images import decode_image
from shared.uris import Location, locate, open_store

RETRY_SECONDS = (0.1, 0.4, 1.6)  # waits before the second, third and fourth attempt

_CHUNK_ITEMS = 64
_CHUNK_PIXELS = 32_000_000

# Answers of a store about the URI itself, not about the moment.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
# What network file systems and a machine at its limits say of any file.
_MAY_PASS = (
    *(errno.ESTALE, errno.ETIMEDOUT, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN),
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN),
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ENOLCK, errno.EREMOTEIO),
    *(errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT),
)


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
    """The bytes behind a URI, at most max_bytes + 1 of them; None if it is not one that is read or nothing
    is there. Errors that may pass are tried again, then TransientError. CrossfadeError: see open_store.
    """
    location = locate(uri)
    if location is None:
        return None
    for wait in (*RETRY_SECONDS, None):
        try:
            return _read(location, max_bytes)
        except CrossfadeError:
            raise
        except Exception as error:  # stores raise their own classes as well as OSError
            if _is_final(location, error):
                return None
            if wait is None:
                raise TransientError(
                    f"cannot read the payload {_shown(uri)} ({error}), tried "
                    f"{len(RETRY_SECONDS) + 1} times; make it readable and run again"
                ) from error
            time.sleep(wait)
    raise AssertionError("unreachable")


def _read(location: Location, max_bytes: int) -> bytes | None:
    if location.scheme == "file":
        local = Path(os.fsdecode(location.path))  # the same bytes on disk in any locale
        if not local.is_file():  # a pipe or a device would block or never end
            return None
        with local.open("rb") as file:
            return file.read(max_bytes + 1)
    store = open_store(location.scheme)
    path = store._strip_protocol(location.path.decode("utf-8"))
    if store.info(path)["type"] != "file":
        return None  # what a store does when it opens a folder is its own
    with store.open(path, "rb") as file:
        data: bytes = file.read(max_bytes + 1)
        return data


def _is_final(location: Location, error: Exception) -> bool:
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError)):
        return True  # ValueError: a path or bucket name that cannot exist
    if not isinstance(error, OSError):
        return False
    if location.scheme == "file":
        return error.errno not in _MAY_PASS
    return error.errno in _NOT_THERE


def _shown(uri: bytes) -> str:
    return repr(uri.decode("utf-8", "replace"))
