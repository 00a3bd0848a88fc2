"""The corpus of the benchmarks: short texts made by code, a fifth of them edits of earlier ones."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import orjson

WORDS = 40  # of a text, on average
EDITED = 0.2  # the share of texts that are near-duplicates of an earlier one
_VOCABULARY = 50_000
_SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]
_FIRST_TIME = 1_700_000_000_000


def texts(count: int, seed: int = 1) -> list[str]:
    """`count` texts of 30 to 50 words with the frequencies of a language (Zipf); the same on every machine.

    An edit replaces one to three words, so most edits stay above the threshold of the preset `text`.
    """
    rng = np.random.default_rng(seed)
    vocabulary = _vocabulary(rng)
    rank = np.arange(1, _VOCABULARY + 1)
    shares = np.cumsum(1 / (rank + 20.0))
    documents: list[list[str]] = []
    for number in range(count):
        if number and rng.random() < EDITED:
            words = list(documents[int(rng.integers(number))])
            for place in rng.integers(0, len(words), int(rng.integers(1, 4))):
                words[place] = vocabulary[int(rng.integers(_VOCABULARY))]
        else:
            size = int(rng.integers(WORDS - 10, WORDS + 11))
            drawn = np.searchsorted(shares, rng.random(size) * shares[-1])
            words = [vocabulary[place] for place in drawn.tolist()]
        documents.append(words)
    return [" ".join(words) for words in documents]


def events(count: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of an upsert of each text, a millisecond apart."""
    for number, text in enumerate(texts(count, seed)):
        item = f"doc-{number:07}"
        event = {"id": item, "op": "upsert", "event_time": _FIRST_TIME + number, "payload": {"text": text}}
        yield item.encode(), orjson.dumps(event)


def chunks(count: int, size: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """`events` in lists of `size`."""
    source = events(count)
    while chunk := list(islice(source, size)):
        yield chunk


def _vocabulary(rng: np.random.Generator) -> list[str]:
    syllables = rng.integers(0, len(_SYLLABLES), (_VOCABULARY, 4))
    sizes = rng.integers(1, 5, _VOCABULARY)
    return [
        "".join(_SYLLABLES[s] for s in row[:size])
        for row, size in zip(syllables.tolist(), sizes.tolist(), strict=True)
    ]
