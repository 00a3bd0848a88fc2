"""`text.shingles` against the definition in plain Python."""

import re
import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from shared.extractors import make
from shared.extractors.sets import sort_unique
from shared.extractors.text import Shingles

EXTRACTORS = st.builds(
    Shingles,
    unit=st.sampled_from(["word", "character"]),
    size=st.integers(1, 6),
    normalise=st.sampled_from(["NFKC", "none"]),
    casefold=st.booleans(),
)
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
# Separators, marks, foldings and compatibility forms that random text rarely brings together.
TRICKY = st.text(
    st.sampled_from(
        "aAbZ019_ \t\n\x0b\x0c\r\x00\x1c\x1d\x1e\x1f\x7f\x85\xa0-."
        "ßẞİıſﬁ①½Å\u0301\u0345\u20dd\u3000\u200d\ufdfaΣς漢𝐀😀"
    ),
    max_size=60,
)


def tokens_of(text: str, extractor: Shingles) -> list[int]:
    """The definition once more, a character at a time."""
    if extractor.normalise == "NFKC":
        text = unicodedata.normalize("NFKC", text)
    if extractor.casefold:
        text = text.casefold()
    if extractor.casefold and extractor.normalise == "NFKC":
        text = unicodedata.normalize("NFKC", text)
    if extractor.unit == "word":
        units, joint = _words(text), " "
    else:
        units, joint = list(" ".join(text.split())), ""
    size = min(extractor.size, len(units))
    windows = [joint.join(units[i : i + size]) for i in range(len(units) - size + 1)] if units else []
    return sorted({xxhash.xxh64_intdigest(window.encode(), 42) for window in windows})


def _words(text: str) -> list[str]:
    words = [""]
    for character in text:
        if re.match(r"\w", character) or unicodedata.category(character).startswith("M"):
            words[-1] += character
        elif words[-1]:
            words.append("")
    return [word for word in words if word]


def check(extractor: Shingles, texts: list[str]) -> None:
    result = extractor.extract(pa.array([text.encode() for text in texts], pa.binary()))
    assert result.bits is None and result.ok.all()
    got = [result.tokens[a:b].tolist() for a, b in zip(result.offsets, result.offsets[1:], strict=False)]
    assert got == [tokens_of(text, extractor) for text in texts]


@given(EXTRACTORS, st.lists(st.one_of(ANY_TEXT, TRICKY), max_size=6))
@example(Shingles(), ["", " ", "one", "one two", "one two three", "one two three four", " one  two three "])
@example(Shingles(), ["\u0390 \u01f0 \u1e96", "\u1fb6"])  # folding takes these apart, NFKC joins them again
@example(Shingles("character", 4), ["", " \x1f ", "abc", "abcd", "äbcd", "  a  b\tc\n", "a\x85b"])
def test_equals_the_definition(extractor: Shingles, texts: list[str]) -> None:
    check(extractor, texts)


@given(EXTRACTORS, st.text(st.characters(max_codepoint=127), max_size=80))
def test_ascii_equals_the_definition(extractor: Shingles, text: str) -> None:
    check(extractor, [text])


def test_every_ascii_character_as_a_separator_or_part() -> None:
    for unit in ("word", "character"):
        check(Shingles(unit, 2), [f"x{chr(code)}Y" for code in range(128)])


def test_every_mark_belongs_to_its_word() -> None:
    marks = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)).startswith("M")]
    check(Shingles(size=1, normalise="none"), [f"a{mark}b" for mark in marks])


def test_long_words_and_long_documents() -> None:
    words = [f"w{i % 977}{'x' * (i % 70)}" for i in range(30_000)]
    check(Shingles(), [" ".join(words), "y" * 5000, "z " * 40_000])


def test_slices_and_nulls() -> None:
    array = pa.array([b"skip me", b"one two", None, b"three", b"\xff"], pa.binary())[1:]
    result = Shingles().extract(array)
    assert result.ok.tolist() == [True, False, True, False]
    assert np.diff(result.offsets).tolist() == [1, 0, 1, 0]
    assert int(result.tokens[0]) == xxhash.xxh64_intdigest(b"one two", 42)


@pytest.mark.parametrize("bad", [b"\xff", b"abc \xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_not_utf8_are_not_ok(bad: bytes) -> None:
    result = Shingles().extract(pa.array([b"a b c d", bad, "é".encode()]))
    assert result.ok.tolist() == [True, False, True]
    assert np.diff(result.offsets).tolist() == [2, 0, 1]


def test_tokens_do_not_depend_on_the_batch() -> None:
    texts = ["a b c d e", "Ünïcode wörds hére", "", "a b c d e"]
    array = pa.array([text.encode() for text in texts])
    together = make("text.shingles", {}).extract(array)
    alone = [make("text.shingles", {}).extract(array[i : i + 1]).tokens for i in range(len(texts))]
    assert together.tokens.tolist() == np.concatenate(alone).tolist()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=300), st.integers(0, 63))
def test_sorting_where_hashes_are_far_from_uniform(values: list[int], shift: int) -> None:
    hashes = np.array([value >> shift for value in values], np.uint64)
    out = np.zeros(len(values), np.uint64)
    count = sort_unique(hashes, len(values), np.empty(1 << 16, np.uint32), out)
    assert out[:count].tolist() == np.unique(hashes).tolist()


def test_hashes_chosen_to_share_a_bucket_cost_no_quadratic_time() -> None:
    hashes = np.arange(300_000, dtype=np.uint64)[::-1].copy()
    out = np.empty(len(hashes), np.uint64)
    started = time.monotonic()
    count = sort_unique(hashes, len(hashes), np.empty(1 << 16, np.uint32), out)
    assert time.monotonic() - started < 5  # insertion alone would take half a minute
    assert out[:count].tolist() == list(range(300_000))


def test_golden_tokens() -> None:
    """For ever: stored runs hold these values."""
    result = make("text.shingles", {}).extract(pa.array(["The quick Brown ﬁsh, swims.".encode()]))
    assert result.tokens.tolist() == [2901912637273563798, 4620746393268132004, 11473956686123143571]
