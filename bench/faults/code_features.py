"""Faults in code that makes features of texts, and signatures of any features."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import shared.events
import shared.lsh
import shared.minhash
import shared.similarity
import shared.sketch
import shared.versions
import stream.index
import stream.microbatch
import stream.settle
import stream.state
from bench.faults.patches import Around, Patch, around, code, method
from parity.faults import Fault
from shared.extractors import text


def sketched(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    return around(stream.microbatch, "sketch", lambda original, spec, events: original(change(spec), events))


def _tokens(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    def shingle(original: Around, *arguments: Any) -> Any:
        tokens, offsets = original(*arguments)
        return change(tokens), offsets

    return around(text, "shingle", shingle)


def _signatures(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    return around(shared.minhash, "signatures", lambda original, *arguments: change(original(*arguments)))


def _with_seed(original: Around, tokens: Any, offsets: Any, permutations: int, seed: int) -> Any:
    return original(tokens, offsets, permutations, seed + 1)


def _swapped(signatures: Any) -> Any:
    out = signatures.copy()
    out[:, [2, 5]] = signatures[:, [5, 2]]
    return out


def _one_value(signatures: Any) -> Any:
    out = signatures.copy()
    out[:1, 3] ^= np.uint32(1)  # of the first item of each batch
    return out


def _truncated_tokens(original: Around, *arguments: Any) -> Any:
    """The last token of each set is not sketched, though it is kept."""
    tokens, offsets, *rest = arguments
    return original(tokens, np.maximum(offsets - 1, 0), *rest)


TEXT_FAULTS: Sequence[Fault] = (
    code(
        "the limit of a payload is one byte less",
        "features",
        "wrong",
        sketched(
            lambda spec: replace(
                spec, limits=replace(spec.limits, payload_bytes=spec.limits.payload_bytes - 1)
            )
        ),
        roots=1,
    ),
    code(
        "another normaliser",
        "features",
        "wrong",
        method(text.Shingles, "_normalised", lambda original, self, value: value.casefold()),
    ),
    code(
        "another tokeniser",
        "features",
        "wrong",
        around(text, "shingle", lambda original, *a: original(*a[:-1], a[-1] + 1)),
    ),
    code("another token hash", "features", "wrong", _tokens(lambda tokens: tokens ^ np.uint64(1))),
    code(
        "tokens went through a float",
        "features",
        "wrong",
        _tokens(lambda tokens: tokens.astype(np.float32).astype(np.uint64)),
    ),
    code("records in the other byte order", "features", "wrong", _tokens(lambda tokens: tokens.byteswap())),
)


SIGNATURE_FAULTS: Sequence[Fault] = (
    code("another seed", "signature", "wrong", around(shared.minhash, "signatures", _with_seed)),
    code("two permutations swapped", "signature", "wrong", _signatures(_swapped)),
    code("signatures in the other byte order", "signature", "wrong", _signatures(lambda s: s.byteswap())),
    code("one value of one signature a batch", "signature", "wrong", _signatures(_one_value)),
    code(
        "the last token is not sketched",
        "signature",
        "wrong",
        around(shared.minhash, "signatures", _truncated_tokens),
    ),
)
