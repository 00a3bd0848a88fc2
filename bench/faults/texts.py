"""A small log in which every rule of the semantics decides something: what faults are injected into.

A few hundred items: copies and variants in full buckets, pairs on the threshold itself, ties in every
time, late and skewed events, edits, deletes, deletes at the time of an upsert, repeats, unusable payloads,
dead letters.
"""

import random
from typing import Any

import pyarrow as pa

from bench.faults.log import Log, Scenario
from shared.spec import from_dict

LIMIT = 300  # bytes of a payload

SPEC: dict[str, Any] = {
    "name": "faults",
    "times": {"max_skew_ms": 2_000, "max_lateness_ms": 30_000},
    "limits": {"payload_bytes": LIMIT},
    "channels": [
        {
            "name": "words",
            "extractor": "text.shingles",
            "parameters": {"unit": "word", "size": 1},
            "minhash": {"permutations": 16, "seed": 1},
            "bands": {"count": 8, "rows": 2},
            "draws": {"first": 1, "near": 1},
            "match": {"rule": "jaccard", "threshold": "0.7"},
        },
        {
            "name": "chars",
            "extractor": "text.shingles",
            "parameters": {"unit": "character", "size": 3},
            "minhash": {"permutations": 32, "seed": 2},
            "bands": {"count": 16, "rows": 2},
            "draws": {"first": 1, "near": 2},
            "match": {"rule": "agreement", "threshold": "0.5625", "min_agreeing_bands": 4},
        },
    ],
}

_SYLLABLES = (
    "ba",
    "co",
    "di",
    "fu",
    "ge",
    "la",
    "mi",
    "no",
    "pu",
    "ré",
    "sa",
    "ti",
    "vo",
    "ｏｎ",
    "Xe",
    "zü",
)


def texts(rule: str = "heads") -> Scenario:
    """rule: of clusters."""
    return Scenario(from_dict(SPEC | {"clusters": {"rule": rule}}), _records())


def _records() -> pa.Table:
    """The same for ever."""
    rng = random.Random(11)
    log = Log(rng, [])
    words = ["".join(rng.choice(_SYLLABLES) for _ in range(3)) for _ in range(120)]
    items: dict[str, str] = {}
    for base in range(14):
        own = rng.sample(words, 17)
        for copy in range(24):
            item = f"{chr(97 + copy)}{base:02d}"  # ids of a base do not come in the order of its copies
            items[item] = " ".join(_variant(rng, own, words, copy))
            log.first_event(item, items[item], copy)
    for three in range(
        8
    ):  # the third is as similar to the first as to the second, which are not to each other
        own = rng.sample(words, 23)
        for item, some in (("x", own[:17]), ("y", own[:11] + own[17:]), ("z", own[:14] + own[17:20])):
            items[f"{item} {three}"] = " ".join(some)
            log.event(f"{item} {three}", items[f"{item} {three}"], log.now)
    log.changes(items, edits=40, deletes=25, ties=12, repeats=10)
    for n, text in enumerate(("", " \t", "\u3000", "x " * (LIMIT // 2), "x " * LIMIT, "y " * LIMIT)):
        log.event(f"odd {n}", text, log.now)
    for value in (None, b"[]", b'{"id": "a"', b'{"id": "", "op": "delete", "event_time": 1}'):
        log.append(value)
    log.event("an id of more than thirty-two bytes, which is none too many", items[min(items)], log.now)
    for base in range(4):  # the first of their kind, when nothing comes after it
        log.event(f"f{base:02d}", None, log.now)
    return log.table()


def _variant(rng: random.Random, own: list[str], words: list[str], copy: int) -> list[str]:
    """Of 17 words: all; all but three new ones (14 of 20 in common: 0.7 exactly); fewer; others."""
    if copy % 4 == 0:
        return own
    if copy % 4 == 1:
        return own[:14] + rng.sample(words, 3)
    if copy % 4 == 2:
        return own[: rng.randrange(9, 17)]
    return [*own, *rng.sample(words, rng.randrange(1, 6))]
