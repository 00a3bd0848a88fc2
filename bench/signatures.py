"""Signatures a second on one core, beside datasketch and rensa on the same sets."""

import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench import corpus
from bench.report import Table
from shared import minhash
from shared.extractors.text import Shingles
from shared.xxh64 import TOKEN_SEED, hash_binary

os.environ["RAYON_NUM_THREADS"] = "1"  # rensa's; read when it first computes

import datasketch
import rensa
import xxhash

SETS, TOKENS, PERMUTATIONS, SEED = 4_000, 200, 128, 1
REPEATS = 7
SLOW = 500  # sets that datasketch gets: its rate does not depend on how many there are


def run() -> Table:
    """Every contender on the same sets of TOKENS word 3-shingles. Raises AssertionError if values differ."""
    texts = _texts()
    payloads = pa.array([text.encode() for text in texts], pa.binary())
    shingles = [_shingles(text) for text in texts]
    lists = pa.array(shingles, pa.list_(pa.binary()))
    hashes, offsets = _hashed(lists)
    some = [row.tolist() for row in np.split(hashes, offsets[1:-1])[:SLOW]]
    assert set(np.diff(offsets)) == {TOKENS}
    _check(payloads, lists, shingles)

    bulk = functools.partial(datasketch.MinHash.bulk, num_perm=PERMUTATIONS, seed=SEED)
    whole = "whole texts (Arrow)"
    tokens, python = f"{TOKENS} shingles (Arrow list)", f"{TOKENS} shingles (Python list)"
    ready = f"{TOKENS} hashes (64 bits)"
    contenders: list[tuple[str, str, int, Callable[[], Any]]] = [
        ("crossfade", whole, SETS, lambda: _of_texts(payloads)),
        ("crossfade", tokens, SETS, lambda: _of_lists(lists)),
        ("crossfade", python, SETS, lambda: _of_lists(pa.array(shingles, pa.list_(pa.binary())))),
        ("crossfade", ready, SETS, lambda: _of_hashes(hashes, offsets)),
        ("datasketch, bulk", python, SLOW, lambda: bulk(shingles[:SLOW], hashfunc=_xxh)),
        ("datasketch, bulk", ready, SLOW, lambda: bulk(some, hashfunc=_low)),
        ("rensa, R-MinHash", python, SETS, lambda: _rensa("token_byte_sets", shingles)),
        ("rensa, R-MinHash", ready, SETS, lambda: _rensa("flat_token_hashes", hashes, offsets)),
        ("rensa, C-MinHash", python, SETS, lambda: _c_minhash(shingles)),
    ]
    rates = {(name, given): count / _median_seconds(work) for name, given, count, work in contenders}
    base = rates["datasketch, bulk", python]
    return Table(
        "Signatures a second, one core",
        ["", "given", "signatures/s", "x datasketch"],
        [[name, given, f"{rate:,.0f}", f"{rate / base:,.1f}"] for (name, given), rate in rates.items()],
        [
            f"Sets of {TOKENS} word 3-shingles, {PERMUTATIONS} permutations; median of {REPEATS} repeats, in "
            f"processor time, so that other programs on the machine count little.",
            "crossfade's values are datasketch's, bit for bit (asserted before measuring): XXH64 of each "
            "shingle, of which MinHash takes the low 32 bits. rensa's are values of its own.",
            "From whole texts, crossfade also normalises, splits into words, and sorts and deduplicates the "
            "tokens, which the exact verification uses.",
            f"Ratios are to datasketch's bulk path from Python lists. It is given {SLOW} sets, the others "
            f"{SETS:,}; all run on one thread.",
        ],
        {f"{name}: {given}": rate for (name, given), rate in rates.items()},
    )


def _texts() -> list[str]:
    """SETS texts with exactly TOKENS different 3-shingles each."""
    words = " ".join(corpus.texts(SETS * (TOKENS + 2) // (corpus.WORDS - 10))).split()
    found, size = [], TOKENS + 2
    for start in range(0, len(words) - size, size):
        text = " ".join(words[start : start + size])
        if len(set(_shingles(text))) == TOKENS:
            found.append(text)
        if len(found) == SETS:
            return found
    raise AssertionError("the corpus has too few texts without repeated shingles")


def _shingles(text: str) -> list[bytes]:
    words = text.split()
    return [" ".join(words[i : i + 3]).encode() for i in range(len(words) - 2)]


def _hashed(lists: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    return hash_binary(lists.values, TOKEN_SEED), lists.offsets.to_numpy().astype(np.int64)


def _of_texts(payloads: pa.Array) -> npt.NDArray[np.uint32]:
    extraction = Shingles().extract(payloads)
    return _of_hashes(extraction.tokens, extraction.offsets)


def _of_lists(lists: pa.Array) -> npt.NDArray[np.uint32]:
    return _of_hashes(*_hashed(lists))


def _of_hashes(tokens: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    return minhash.signatures(tokens, offsets, PERMUTATIONS, SEED)


def _rensa(what: str, *given: Any) -> Any:
    return getattr(rensa.RMinHash, f"digest_matrix_from_{what}")(*given, PERMUTATIONS, SEED)


def _c_minhash(shingles: list[list[bytes]]) -> Any:
    return rensa.CMinHash.digests_from_token_sets(shingles, PERMUTATIONS, SEED)


def _xxh(token: bytes) -> int:
    return xxhash.xxh64_intdigest(token, TOKEN_SEED) & 0xFFFFFFFF


def _low(token: int) -> int:
    return token & 0xFFFFFFFF


def _check(payloads: pa.Array, lists: pa.Array, shingles: list[list[bytes]]) -> None:
    theirs = datasketch.MinHash.bulk(shingles[:100], num_perm=PERMUTATIONS, seed=SEED, hashfunc=_xxh)
    expected = np.array([sketch.hashvalues for sketch in theirs])
    for ours in (_of_texts(payloads[:100]), _of_lists(lists)[:100]):
        assert ours.dtype == expected.dtype and np.array_equal(ours, expected), "not datasketch's values"


def _median_seconds(work: Callable[[], Any]) -> float:
    """Of processor time; the first call, which compiles or loads, is not counted."""
    work()
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)
