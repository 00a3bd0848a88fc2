"""`text.shingles`: a text -> the set of its word or character n-grams (Broder 1997), as XXH64 tokens."""

import functools
import re
import sys
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from shared.errors import SpecError
from shared.extractors.protocol import Extraction
from shared.extractors.sets import MAX_BUCKET_BITS, sort_unique
from shared.xxh64 import TOKEN_SEED, all_ascii, binary_buffers, xxh64, xxh64_short

UNITS = ("word", "character")
NORMALISERS = ("NFKC", "none")
MAX_SIZE = 64

_SEED = np.uint64(TOKEN_SEED)
_SPACE = 0x20


@dataclass(frozen=True)
class Shingles:
    """Shingles of `size` units over the normalised text.

    Normalising: NFKC; then case-folding; then, after both, NFKC again (folding can undo it).
    unit "word": words are maximal runs of characters that `\\w` matches in Python's re or whose category
    is M (marks); a shingle is `size` consecutive words joined by one space; a text of fewer words, but
    at least one, is one shingle. unit "character": runs of white space (what str.split() splits on)
    become one space and the ends are stripped; a shingle is `size` consecutive code points; a shorter
    text, but not an empty one, is one shingle. A token is the XXH64, seed 42, of a shingle's UTF-8.
    Bytes that are not UTF-8 are not ok.
    """

    unit: str = "word"
    size: int = 3
    normalise: str = "NFKC"
    casefold: bool = True

    kind: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise SpecError(f"unit is {self.unit!r}; it must be one of {', '.join(UNITS)}")
        if not 1 <= self.size <= MAX_SIZE:
            raise SpecError(f"size is {self.size}; it must be an integer from 1 to {MAX_SIZE}")
        if self.normalise not in NORMALISERS:
            raise SpecError(f"normalise is {self.normalise!r}; it must be one of {', '.join(NORMALISERS)}")

    @property
    def bit_count(self) -> int:
        return 0

    def extract(self, payloads: pa.BinaryArray) -> Extraction:
        """payloads: pa.BinaryArray of UTF-8. See Extractor.extract."""
        data, offsets = binary_buffers(payloads)
        ascii_only = all_ascii(data, offsets)
        ok = np.ones(len(payloads), np.bool_)
        if payloads.null_count:
            ok = payloads.is_valid().to_numpy(zero_copy_only=False)
        canonical: list[bytes] = []
        for i in np.flatnonzero(~ascii_only & ok):
            try:
                text = data[offsets[i] : offsets[i + 1]].tobytes().decode("utf-8")
            except UnicodeDecodeError:
                ok[i] = False
                continue
            canonical.append(self._canonical(text).encode("utf-8"))
        other_offsets = np.zeros(len(canonical) + 1, np.int64)
        np.cumsum([len(document) for document in canonical], out=other_offsets[1:])
        tokens, token_offsets = _shingle(
            data,
            offsets,
            np.frombuffer(b"".join(canonical), np.uint8),
            other_offsets,
            np.where(ok, np.where(ascii_only, 0, 1), 2).astype(np.uint8),
            _byte_table(self.unit, self.casefold),
            self.unit == "word",
            self.size,
        )
        return Extraction(ok, token_offsets, tokens, None)

    def _canonical(self, text: str) -> str:
        """The normalised text with its words, or its white-space separated parts, one space apart."""
        if self.normalise == "NFKC":
            text = unicodedata.normalize("NFKC", text)
        if self.casefold:
            text = text.casefold()
            if self.normalise == "NFKC":
                text = unicodedata.normalize("NFKC", text)
        return " ".join(_word_pattern().findall(text) if self.unit == "word" else text.split())


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    """A run of characters of a word: `\\w`, or category M (re has no class for it, so its ranges)."""
    marks = [c for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == "M"]
    ranges = []
    for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0]):
        points = [point for _, point in run]
        ranges.append(f"{re.escape(chr(points[0]))}-{re.escape(chr(points[-1]))}")
    return re.compile(rf"[\w{''.join(ranges)}]+")


@functools.cache
def _byte_table(unit: str, casefold: bool) -> npt.NDArray[np.uint8]:
    """uint8[2, 256]: what a byte becomes (a space separates): row 0 of ASCII, row 1 of canonical text."""
    table = np.tile(np.arange(256, dtype=np.uint8), (2, 1))
    for byte in range(128):
        char = chr(byte)
        if char.isspace() if unit == "character" else not (char.isalnum() or char == "_"):
            table[0, byte] = _SPACE
        elif casefold:
            table[0, byte] = ord(char.lower())
    return table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shingle(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    other: npt.NDArray[np.uint8],
    other_offsets: npt.NDArray[np.int64],
    source: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint8],
    words: bool,
    size: int,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """(tokens, offsets). source: 0 = take the item from data, 1 = the next of other, 2 = no item."""
    n = len(source)
    longest, total = 0, 0
    for i in range(n):
        if source[i] == 0:
            longest = max(longest, offsets[i + 1] - offsets[i])
            total += offsets[i + 1] - offsets[i]
    for i in range(len(other_offsets) - 1):
        longest = max(longest, other_offsets[i + 1] - other_offsets[i])
        total += other_offsets[i + 1] - other_offsets[i]
    text = np.empty(longest + 33, np.uint8)  # xxh64_short reads past a shingle's end
    starts = np.empty(longest + 2, np.int64)  # of the item's units in text
    hashes = np.empty(longest + 1, np.uint64)
    counters = np.empty(1 << MAX_BUCKET_BITS, np.uint32)
    # A text of b bytes has at most b characters, or b / 2 + 1 words. Pages not written to cost nothing.
    tokens = np.empty(total // 2 + n if words else total, np.uint64)
    token_offsets = np.zeros(n + 1, np.int64)
    gap = 1 if words else 0  # bytes between two units
    filled, next_other = 0, 0
    for i in range(n):
        if source[i] == 0:
            length, units = _units(data, offsets[i], offsets[i + 1], table[0], words, text, starts)
        elif source[i] == 1:
            start, end = other_offsets[next_other], other_offsets[next_other + 1]
            length, units = _units(other, start, end, table[1], words, text, starts)
            next_other += 1
        else:
            length, units = 0, 0
        if units > 0:
            starts[units] = length + gap
            windows = max(1, units - size + 1)
            width = min(size, units)
            for w in range(windows):
                start, end = starts[w], starts[w + width] - gap
                if end - start < 32:
                    hashes[w] = xxh64_short(text, start, end, _SEED)
                else:
                    hashes[w] = xxh64(text, start, end, _SEED)
            filled += sort_unique(hashes, windows, counters, tokens[filled:])
        token_offsets[i + 1] = filled
    return tokens[:filled], token_offsets


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _units(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    table: npt.NDArray[np.uint8],
    words: bool,
    text: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Write an item's separated text and where its words or characters start; (bytes, units)."""
    # Unsigned counters spare numpy's test for negative indices. There are no branches on a byte: words
    # are short, so they would be mispredicted.
    length, units = np.uint64(0), np.uint64(0)
    after = np.uint64(0)  # 1 if the last byte written was not a separator
    starts[0] = 0
    for at in range(np.uint64(begin), np.uint64(end)):
        byte = table[data[at]]
        solid = np.uint64(byte != _SPACE)
        kept = solid | after
        text[length] = byte
        if words:
            length += kept
            starts[units + np.uint64(1)] = np.int64(length)  # stands once a separator ends this word
            units += after & (solid ^ np.uint64(1))
        else:
            starts[units] = np.int64(length)
            length += kept
            units += kept & np.uint64(byte & np.uint8(0xC0) != np.uint8(0x80))
        after = solid
    if after == 0 and length > 0:  # a separator at the end
        length -= np.uint64(1)
        units -= np.uint64(0 if words else 1)
    elif words and length > 0:
        units += np.uint64(1)
    return np.int64(length), np.int64(units)  # type: ignore[return-value]
