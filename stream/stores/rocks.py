"""The store in RocksDB, through rocksdict's raw mode. One process owns it; others may read along."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Checkpoint,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from shared.errors import NO_ROOM, SourceError
from stream.stores.protocol import AGAIN, FAMILIES, Changes


def _options() -> Options:
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(10, False)  # most look-ups are of buckets that nobody is in yet
    options = Options(raw_mode=True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_size(64 * 2**20)
    options.set_memtable_prefix_bloom_ratio(0.1)  # for whole keys: the same for what is still in memory
    options.set_memtable_whole_key_filtering(True)
    options.set_block_based_table_factory(blocks)
    return options


_NO_ROOM = "make room and start again: it goes on where it was, and nothing is lost"
_RETRY_SECONDS = (0.05, 0.2, 0.8)  # the owner may delete files that it merged while they are being opened


def _is_no_room(error: Exception) -> bool:
    """RocksDB gives the system's words."""
    return any(os.strerror(number) in str(error) for number in NO_ROOM)


class _Opened:
    """A database that is open, and a handle of each of its families."""

    name: str
    _db: Rdict

    def _open_families(self, path: Path) -> None:
        self.name = f"the state in {path}"
        self._families = {name: self._db.get_column_family(name) for name in FAMILIES}

    def get_many(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        try:
            return self._families[family].get(list(keys)) if keys else []  # type: ignore[return-value]
        except Exception as error:
            raise self._unreadable(error) from error

    def scan(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        last = start
        entries: Any = self._families[family].items(from_key=start)
        for entry in entries:
            last = entry[0]
            yield entry
        # Where a block is damaged, rocksdict's iterator ends as if nothing came after it.
        end = self._families[family].iter()
        end.seek(last)
        if end.valid():
            end.next()
        try:
            end.status()
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> Exception:
        """rocksdict raises bare Exceptions for what RocksDB says."""
        if type(error) is not Exception:
            return error
        advice = _NO_ROOM if _is_no_room(error) else AGAIN
        return SourceError(f"{self.name} cannot be read ({error}); {advice}")

    def close(self) -> None:
        for family in self._families.values():  # each holds the database, and so its lock, open
            family.close()
        self._families.clear()
        self._db.close()


class RocksStore(_Opened):
    def __init__(self, path: Path, create: bool = True) -> None:
        options = _options()
        options.create_if_missing(create)
        options.create_missing_column_families(create)
        if not create and not (path / "CURRENT").exists():
            raise SourceError(f"{path} holds no state; `crossfade consume --state {path}` makes it")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), options, column_families={name: _options() for name in FAMILIES})
        except Exception as error:  # rocksdict raises bare Exceptions
            why = (
                "it is open elsewhere; stop that consumer, or name another --state folder"
                if f"{path}/LOCK" in str(error)  # not only "lock": it speaks of blocks, too
                else f"{error}; {_NO_ROOM if _is_no_room(error) else AGAIN}"
            )
            raise SourceError(f"the state in {path} cannot be opened: {why}") from error
        self._open_families(path)
        self._spent = False  # a write has failed, and been told of; after that not even a close succeeds
        self._handles = {name: self._db.get_column_family_handle(name) for name in FAMILIES}

    def write(self, changes: Changes) -> None:
        # Not synced to disk: what a power cut takes is replayed up to the progress record.
        batch = WriteBatch(raw_mode=True)
        for family, entries in changes.items():
            handle = self._handles[family]
            for key in sorted(entries):  # neighbours go into RocksDB's skip list three times as fast
                value = entries[key]
                if value is None:
                    batch.delete(key, handle)
                else:
                    batch.put(key, value, handle)
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions
            self._spent = True
            raise self._unwritable(error) from error

    def checkpoint(self, path: Path) -> None:
        if path.exists():
            raise SourceError(f"the snapshot folder {path} exists already; name a new one")
        path.parent.mkdir(parents=True, exist_ok=True)
        Checkpoint(self._db).create_checkpoint(str(path))

    def close(self) -> None:
        self._handles.clear()
        try:
            super().close()
        except Exception as error:
            if not self._spent:
                raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> SourceError:
        advice = _NO_ROOM if _is_no_room(error) else AGAIN
        return SourceError(f"{self.name} cannot be written ({error}); {advice}")


class RocksReader(_Opened):
    """A read-only database: it takes no lock and writes nothing into the state's folder.

    It stands where the state stood when it was opened, at one commit, the log of what is not in files yet
    included; files that the owner removes later stay open. (A secondary instance of RocksDB would pass over a
    file that is missing, to an older version of the family.)
    """

    def __init__(self, path: Path) -> None:
        if not (path / "CURRENT").exists():
            raise SourceError(f"{path} holds no state; name the --state folder of a consumer, or a snapshot")
        for wait in (*_RETRY_SECONDS, None):
            try:
                self._db = self._open(path)
                break
            except Exception as error:  # rocksdict raises bare Exceptions
                if wait is None:
                    raise SourceError(
                        f"the state in {path} cannot be read: {error}; if a consumer works in it, try again, "
                        f"or read a snapshot of it (`crossfade consume --snapshot-at`); if none does, {AGAIN}"
                    ) from error
                time.sleep(wait)
        self._open_families(path)

    def _open(self, path: Path) -> Rdict:
        logs = list(path.glob("*.log"))
        families = {name: _options() for name in FAMILIES}
        opened = Rdict(str(path), _options(), column_families=families, access_type=AccessType.read_only())
        # RocksDB passes over a log that the owner removed meanwhile, and with it over what was only in there:
        # some families would stand at other commits than others.
        if not all(log.exists() for log in logs):
            opened.close()
            raise SourceError("its consumer moved records into files meanwhile")
        return opened
