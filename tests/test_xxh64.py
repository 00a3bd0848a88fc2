"""XXH64 against the reference implementation (the xxhash package)."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from shared.xxh64 import all_ascii, binary_buffers, hash_binary, xxh64_short

SEEDS = st.integers(0, 2**64 - 1)


def reference(items: list[bytes], seed: int) -> list[int]:
    return [xxhash.xxh64_intdigest(item, seed) for item in items]


@pytest.mark.parametrize("seed", [0, 1, 42, 2**63, 2**64 - 1])
def test_every_length_to_200(seed: int) -> None:
    data = np.random.default_rng(7).integers(0, 256, 200, dtype=np.uint8).tobytes()
    items = [data[:length] for length in range(201)]
    assert hash_binary(pa.array(items, pa.binary()), seed).tolist() == reference(items, seed)


def test_known_values() -> None:
    """Published test vectors, so that a change of both implementations would show."""
    hashes = hash_binary(pa.array([b"", b"a", b"abc"]), 0)
    assert [f"{value:016x}" for value in hashes] == [
        "ef46db3751d8e999",
        "d24ec4f1a98c6e5b",
        "44bc2cf5ad770999",
    ]


@given(
    st.lists(st.binary(max_size=80), max_size=20), SEEDS, st.sampled_from([pa.binary(), pa.large_binary()])
)
def test_any_bytes_and_seed(items: list[bytes], seed: int, kind: pa.DataType) -> None:
    assert hash_binary(pa.array(items, kind), seed).tolist() == reference(items, seed)


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=20), st.data())
def test_slices_nulls_and_chunks(texts: list[str | None], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    expected = [0 if text is None else xxhash.xxh64_intdigest(text.encode(), 42) for text in texts]
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(texts, kind)
        assert hash_binary(array.slice(start, length), 42).tolist() == expected[start : start + length]
        chunked = pa.chunked_array([array[:start], array[start:]], kind)
        assert hash_binary(chunked, 42).tolist() == expected


@given(st.binary(max_size=31), SEEDS)
def test_short_hash_equals_the_general_one_and_ignores_what_follows(item: bytes, seed: int) -> None:
    for filler in (b"\0", b"\xff"):
        padded = np.frombuffer(item + filler * 32, np.uint8)
        assert int(xxh64_short(padded, 0, len(item), np.uint64(seed))) == reference([item], seed)[0]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=10))
def test_all_ascii(texts: list[str]) -> None:
    data, offsets = binary_buffers(pa.array(texts, pa.string()))
    assert all_ascii(data, offsets).tolist() == [text.isascii() for text in texts]


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        hash_binary(pa.array([1, 2]), 42)
