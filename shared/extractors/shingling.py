"""The kernels of `text.shingles`: from bytes to sorted sets of hashes without a Python object."""

import numpy as np
import numpy.typing as npt
from numba import njit

from shared.extractors.sets import MAX_BUCKET_BITS, sort_unique
from shared.xxh64 import TOKEN_SEED, xxh64, xxh64_short

SPACE = 0x20
_SEED = np.uint64(TOKEN_SEED)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def blank_separators(text: npt.NDArray[np.uint8], separates: npt.NDArray[np.bool_]) -> None:
    """Overwrite every byte of each code point that separates with a space. `text` must be valid UTF-8."""
    at = 0
    while at < len(text):
        lead = np.int64(text[at])
        width = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        point = lead if width == 1 else lead & (0x7F >> width)
        for k in range(1, width):
            point = (point << 6) | np.int64(text[at + k] & 0x3F)
        if separates[point]:
            text[at : at + width] = SPACE
        at += width


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def shingle(
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
        solid = np.uint64(byte != SPACE)
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
