"""`text.shingles`: a text -> the set of its word or character n-grams (Broder 1997), as XXH64 tokens."""

import functools
import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.errors import SpecError
from shared.extractors.protocol import Extraction
from shared.extractors.shingling import SPACE, blank_separators, shingle
from shared.xxh64 import all_ascii, binary_buffers

UNITS = ("word", "character")
NORMALISERS = ("NFKC", "none")
MAX_SIZE = 64


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
    has_geometry: ClassVar[bool] = False
    contents: ClassVar[Mapping[str, str]] = {}

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
            ok &= payloads.is_valid().to_numpy(zero_copy_only=False)
        others: list[bytes] = []
        for i in np.flatnonzero(~ascii_only & ok):
            try:
                text = data[offsets[i] : offsets[i + 1]].tobytes().decode("utf-8")
            except UnicodeDecodeError:
                ok[i] = False
                continue
            others.append(self._normalised(text).encode("utf-8"))
        other_offsets = np.zeros(len(others) + 1, np.int64)
        np.cumsum([len(text) for text in others], out=other_offsets[1:])
        other = np.frombuffer(bytearray().join(others), np.uint8)
        if others:
            blank_separators(other, _unicode_table(self.unit))
        other.flags.writeable = False  # like `data`: one compiled kernel for both
        tokens, token_offsets = shingle(
            data,
            offsets,
            other,
            other_offsets,
            np.where(ok, np.where(ascii_only, 0, 1), 2).astype(np.uint8),
            _byte_table(self.unit, self.casefold),
            self.unit == "word",
            self.size,
        )
        return Extraction(ok, token_offsets, tokens, None)

    def _normalised(self, text: str) -> str:
        if self.normalise == "NFKC":
            text = unicodedata.normalize("NFKC", text)
        if self.casefold:
            text = text.casefold()
            if self.normalise == "NFKC":
                text = unicodedata.normalize("NFKC", text)
        return text


@functools.cache
def _unicode_table(unit: str) -> npt.NDArray[np.bool_]:
    """bool[0x110000]: whether a code point separates words, or is white space."""
    points = np.arange(sys.maxunicode + 1, dtype="<u4")
    text = points.tobytes().decode("utf-32-le", "surrogatepass")
    if unit == "character":
        return np.fromiter(map(str.isspace, text), np.bool_, len(text))
    separates = np.ones(len(text), np.bool_)
    # Marks are printable, which few code points are: most are not assigned. A process's first batch waits.
    printable = np.flatnonzero(np.fromiter(map(str.isprintable, text), np.bool_, len(text)))
    separates[[point for point in printable.tolist() if unicodedata.category(text[point])[0] == "M"]] = False
    for run in re.finditer(r"\w+", text):
        separates[run.start() : run.end()] = False
    return separates


@functools.cache
def _byte_table(unit: str, casefold: bool) -> npt.NDArray[np.uint8]:
    """uint8[2, 256]: what a byte becomes (spaces separate): row 0 in ASCII, row 1 in blanked UTF-8."""
    table = np.tile(np.arange(256, dtype=np.uint8), (2, 1))
    for byte in range(128):
        char = chr(byte)
        if char.isspace() if unit == "character" else not (char.isalnum() or char == "_"):
            table[0, byte] = SPACE
        elif casefold:
            table[0, byte] = ord(char.lower())
    return table
