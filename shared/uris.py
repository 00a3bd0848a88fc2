"""Which URIs may be read: taken apart here, not by fsspec, and held against what the operator enabled.

Whoever can write a record chooses its URI, so a URI must never make this process fetch what its author
likes, nor hold it up for ever:
- Only the schemes in CROSSFADE_URI_SCHEMES are read (default: `file`), and of them only `SCHEMES`. Object
  stores and HDFS are reached with the operator's own settings (fsspec's configuration, credentials of the
  environment). http and https are left out on purpose: there the record would name the host, a cloud's
  metadata address (169.254.169.254) or a redirect to it included. Copy such pictures into a store.
- Chains (`zip::`, `simplecache::`) and fsspec's other schemes (`memory:`, `github:`, `reference:`) are
  schemes it does not know.
- A local path must be absolute, or the answer would depend on where a process was started, and outside
  /proc, /sys and /dev, whose files are not data: to read one may fail, block or have an effect.
- Names that no store accepts are found out here, because each store has its own error for them.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import fsspec

from shared.errors import CrossfadeError

VARIABLE = "CROSSFADE_URI_SCHEMES"
SCHEMES = ("file", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs")

_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "hdfs": "Hadoop's client (libhdfs)",
}
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HADOOP_FILE = re.compile(rb"file:(/[^/].*)", re.DOTALL)  # file:/a/b, as Hadoop writes it
_NOT_DATA = (b"proc", b"sys", b"dev")

_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){1,253}[A-Za-z0-9]")
_KEY_BYTES = 1024  # the least of the stores' limits
_HDFS_NAME_BYTES = 255


@dataclass(frozen=True)
class Location:
    """Where a payload is. path: as the file system, or the store's fsspec class, takes it."""

    scheme: str
    path: bytes


def locate(uri: bytes, environ: Mapping[str, str] = os.environ) -> Location | None:
    """None where the URI is not one that is read. Whatever has no `scheme://` is a local path."""
    match = _HADOOP_FILE.fullmatch(uri)
    if match:
        scheme, path = "file", match[1]
    else:
        match = _SCHEME.fullmatch(uri)
        scheme, path = (match[1].decode("ascii").lower(), match[2]) if match else ("file", uri)
    enabled = enabled_schemes(environ)
    if scheme == "file":
        return Location(scheme, path) if scheme in enabled and _is_local_data(path) else None
    try:
        place, _, key = path.decode("utf-8").partition("/")
    except UnicodeDecodeError:
        return None
    if scheme not in SCHEMES or not enabled.intersection((scheme, f"{scheme}://{place}")):
        return None
    return Location(scheme, scheme.encode() + b"://" + path) if _is_object(scheme, place, key) else None


def enabled_schemes(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The entries of CROSSFADE_URI_SCHEMES: `scheme`, or `scheme://bucket` for one bucket of a store."""
    return frozenset(entry.strip() for entry in environ.get(VARIABLE, "file").split(",") if entry.strip())


def check_schemes(environ: Mapping[str, str] = os.environ) -> None:
    """At start-up: every enabled scheme is known and its package can be used, or CrossfadeError."""
    for entry in sorted(enabled_schemes(environ)):
        scheme, _, place = entry.partition("://")
        if scheme not in SCHEMES or "/" in place or (scheme == "file" and entry != "file"):
            raise CrossfadeError(
                f"{VARIABLE} enables {entry!r}, which cannot be read; an entry is file, or one of "
                f"{', '.join(SCHEMES[1:])}, alone or with a bucket as in s3://pictures"
            )
        if scheme != "file":
            open_store(scheme)


def open_store(scheme: str) -> fsspec.AbstractFileSystem:
    """fsspec's file system, made once a process, or CrossfadeError: only the operator can mend that."""
    try:
        return fsspec.filesystem(scheme)
    except Exception as error:  # each package has its own for settings that it misses
        raise CrossfadeError(
            f"payloads at {scheme}:// cannot be read: {error}; install {_PACKAGES[scheme]} and set it up, or "
            f"take {scheme} out of {VARIABLE}"
        ) from error


def _is_local_data(path: bytes) -> bool:
    if not path.startswith(b"/") or b"\0" in path:
        return False
    # Both: /proc/self/cwd/a.png leads out of /proc again, and a link elsewhere may lead into it.
    places = (os.path.normpath(path), os.path.realpath(path))
    return all(place.lstrip(b"/").split(b"/")[0] not in _NOT_DATA for place in places)


def _is_object(scheme: str, place: str, key: str) -> bool:
    names = key.split("/")
    if not key or len(key.encode()) > _KEY_BYTES or "\0" in key or {".", ".."}.intersection(names):
        return False
    if (
        scheme == "hdfs"
    ):  # the place is the name node, or empty, and not used: the operator's settings name it
        return ":" not in key and all(len(name.encode()) <= _HDFS_NAME_BYTES for name in names)
    return _BUCKET.fullmatch(place.partition("@")[0]) is not None  # container@account of Azure
