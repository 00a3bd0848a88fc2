"""Features of many ids outside memory: written to a file once, and mapped."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parity.upgrade.wanted import NOWHERE
from shared.errors import CrossfadeError
from shared.xxh64 import binary_buffers, hash_binary

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mapped:
    """A value of bytes for some of n places. slot: int64[n], where in `values` (large binary), or NOWHERE."""

    slot: Int64s
    values: pa.Array

    def sizes(self) -> Int64s:
        """int64[n]: bytes of each place's value."""
        _, offsets = binary_buffers(self.values)
        sizes = np.append(np.diff(offsets), 0)  # of NOWHERE, the last
        return np.asarray(sizes[self.slot], np.int64)

    def take(self, places: Int64s) -> pa.Array:
        """large binary[m]: null where a place has no value."""
        slots = self.slot[places]
        return self.values.take(pa.array(slots, mask=slots == NOWHERE))


@dataclass
class Filling:
    """A Mapped in the making. Memory: 16 bytes a place, and 8 a value."""

    file: Path
    places: int

    def __post_init__(self) -> None:
        self._slot = np.full(self.places, NOWHERE, np.int64)
        self._hash = np.zeros(self.places, np.uint64)
        self._lengths = [np.empty(0, np.int64)]
        self._count = 0
        self.file.touch()

    def add(self, places: Int64s, values: pa.Array) -> Int64s:
        """Keep the values of places that have none yet. int64[m]: the places whose value is another one."""
        hashes = hash_binary(values, 0)
        new = self._slot[places] == NOWHERE
        unequal: Int64s = places[~new][self._hash[places[~new]] != hashes[~new]]
        data, offsets = binary_buffers(values.filter(pa.array(new)))
        with _writing(self.file), self.file.open("ab") as out:
            data[offsets[0] : offsets[-1]].tofile(out)
        self._lengths.append(np.diff(offsets))
        self._slot[places[new]] = self._count + np.arange(int(new.sum()))
        self._hash[places[new]] = hashes[new]
        self._count += int(new.sum())
        return unequal

    def done(self) -> Mapped:
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self._lengths]))
        empty = not self.file.stat().st_size  # which cannot be mapped
        data = pa.py_buffer(b"") if empty else pa.memory_map(str(self.file)).read_buffer()
        values = pa.Array.from_buffers(
            pa.large_binary(), self._count, [None, pa.py_buffer(offsets.astype(np.int64)), data]
        )
        return Mapped(self._slot, values)


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CrossfadeError(
            f"the features of the pairs that differ cannot be put into {file.parent} ({error.strerror}); "
            f"set TMPDIR to a folder with room"
        ) from error
