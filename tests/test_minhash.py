import json
from typing import Any

import datasketch
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import minhash
from tests.golden_files import GOLDEN

UInt64s = npt.NDArray[np.uint64]


def sketch(*sets: list[int], count: int = 128, seed: int = 1) -> npt.NDArray[np.uint32]:
    tokens = np.array([token for tokens in sets for token in tokens], np.uint64)
    offsets = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    return minhash.signatures(tokens, offsets, count, seed)


def by_datasketch(tokens: list[int], count: int = 128, seed: int = 1) -> datasketch.MinHash:
    """datasketch's own default scheme, given the low 32 bits of each token."""
    sketch = datasketch.MinHash(count, seed, hashfunc=lambda token: token & 0xFFFFFFFF)
    sketch.update_batch(tokens)
    return sketch


def golden() -> list[dict[str, Any]]:
    sets: list[dict[str, Any]] = json.loads((GOLDEN / "minhash_seed1.json").read_text())["sets"]
    return sets


def test_golden_vectors_of_seed_1() -> None:
    """Made by tests/golden/make.py. These values never change: stored signatures depend on them."""
    sets = golden()
    assert [len(entry["tokens"]) for entry in sets] == [0, 1, 2, 7, 64, 200]
    found = sketch(*[[int(token, 16) for token in entry["tokens"]] for entry in sets])
    for entry, signature in zip(sets, found, strict=True):
        assert " ".join(f"{value:08x}" for value in signature.tolist()) == entry["signature"]


@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=30), max_size=4),
    st.integers(1, 200),
    st.integers(0, 2**32 - 1),
)
def test_the_kernel_is_datasketch(sets: list[list[int]], count: int, seed: int) -> None:
    found = sketch(*sets, count=count, seed=seed)
    assert found.shape == (len(sets), count) and found.dtype == np.uint32
    for tokens, signature in zip(sets, found, strict=True):
        assert np.array_equal(signature, by_datasketch(tokens, count, seed).hashvalues)


def test_large_random_sets_are_datasketchs() -> None:
    rng = np.random.default_rng(7)
    sets = [rng.integers(0, 2**64, size, np.uint64).tolist() for size in (1000, 3, 5000)]
    for tokens, signature in zip(sets, sketch(*sets), strict=True):
        assert np.array_equal(signature, by_datasketch(tokens).hashvalues)


def test_an_empty_set_is_all_ones() -> None:
    assert (sketch([], [1], []) == 0xFFFFFFFF).all(axis=1).tolist() == [True, False, True]
    assert sketch().shape == (0, 128)


def test_only_the_low_32_bits_of_a_token_count() -> None:
    assert np.array_equal(sketch([5])[0], sketch([5 + (7 << 32)])[0])
    assert not np.array_equal(sketch([5])[0], sketch([6])[0])


def test_multipliers_are_odd_and_their_digest_is_in_the_contract() -> None:
    a, _ = minhash.permutations(128, 1)
    assert (a % 2 == 1).all()
    assert minhash.permutations_digest(128, 1) == "b14750dd0abf30bb"


def test_sketches_can_be_exchanged_with_datasketch() -> None:
    one, two = list(range(100)), list(range(30, 130))
    first, second = sketch(one, two)
    ours = minhash.to_datasketch(first, 1)
    assert ours.jaccard(by_datasketch(two)) == np.mean(first == second)
    index = datasketch.MinHashLSH(threshold=0.5, num_perm=128)
    index.insert("two", by_datasketch(two))
    assert index.query(minhash.to_datasketch(second, 1)) == ["two"]
    assert np.array_equal(minhash.from_datasketch(by_datasketch(one)), first)
    assert np.array_equal(minhash.from_datasketch(ours), first)


def test_an_exchanged_sketch_is_a_copy() -> None:
    (signature,) = sketch([1, 2])
    ours = minhash.to_datasketch(signature, 1)
    ours.update(b"more")
    assert np.array_equal(signature, sketch([1, 2])[0])


@pytest.mark.parametrize("scheme", ["legacy", "affine64"])
def test_another_scheme_is_refused(scheme: Any) -> None:
    with pytest.raises(ValueError, match=f"scheme '{scheme}'; crossfade's values are 'affine32'"):
        minhash.from_datasketch(datasketch.MinHash(16, scheme=scheme))
