"""Parts of shared/ that random histories reach too rarely: every odd character, every odd JSON."""

import itertools
import json
import random

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.events import parse
from shared.extractors.text import Shingles
from tests import oracle
from tests.engines import record_table

# All planes that have letters, marks, digits or spaces, without the regular blocks of ideographs and Hangul.
RANGES = (
    (0, 0x3400),
    (0xA000, 0xAC20),
    (0xD7A0, 0xD800),
    (0xE000, 0x12000),
    (0x1D000, 0x20000),
    (0xE0100, 0xE0104),
)


@pytest.mark.parametrize(
    ("unit", "normalise", "casefold"),
    list(itertools.product(("word", "character"), ("NFKC", "none"), (True, False))),
)
def test_tokens_of_any_character(unit: str, normalise: str, casefold: bool) -> None:
    parameters = {"unit": unit, "size": 2, "normalise": normalise, "casefold": casefold}
    rng = random.Random(f"{parameters}")
    characters = [chr(c) for start, stop in RANGES for c in range(start, stop)]
    texts = [f"a{c}b {c} {rng.choice(characters)}{c}" for c in characters[rng.randrange(4) :: 4]]
    texts += ["".join(chr(rng.randrange(128)) for _ in range(rng.randrange(12))) for _ in range(1000)]
    found = Shingles(unit, 2, normalise, casefold).extract(pa.array([text.encode() for text in texts]))
    channel = {"extractor": "text.shingles", "parameters": parameters}
    for i, text in enumerate(texts):
        tokens = found.tokens[found.offsets[i] : found.offsets[i + 1]].tolist()
        assert set(tokens) == oracle.shingle(channel, text), ascii(text)


NUMBERS = st.integers(-4, 4) | st.integers(-(2**53) - 2, 2**53 + 2) | st.sampled_from([0.5, -1.25, 1.0])
LEAVES = NUMBERS | st.booleans() | st.none() | st.text(max_size=3) | st.sampled_from(["ab" * 32, "AB" * 32])
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
VECTORS = st.lists(NUMBERS | st.floats(allow_nan=False, allow_infinity=False), max_size=3)
PAYLOADS = (
    ANY
    | st.fixed_dictionaries(
        {"vector": VECTORS}
    )  # alone: how an unusable payload's floats are written is open
    | st.fixed_dictionaries(
        {},
        optional={
            "text": LEAVES,
            "vector": LEAVES | st.lists(NUMBERS | st.booleans(), max_size=3),
            "uri": LEAVES,
            "sha256": LEAVES,
        },
    )
)
TIMES = NUMBERS | st.sampled_from([2**53, 2**53 + 1, -(2**53), -(2**53) - 1])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=3) | LEAVES,
        "op": st.sampled_from(["upsert", "delete"]) | LEAVES,
        "event_time": TIMES | LEAVES,
        "payload": PAYLOADS,
        "other": ANY,
    },
)
UPSERTS = st.fixed_dictionaries(
    {"id": st.just("x"), "op": st.just("upsert"), "event_time": st.just(1), "payload": PAYLOADS}
)
ASCII, UNICODE = (BODIES | UPSERTS).map(json.dumps), BODIES.map(lambda b: json.dumps(b, ensure_ascii=False))


@given(st.none() | st.binary(max_size=6) | (ASCII | UNICODE).map(str.encode))
@example(b'{"id": "x", "op": "upsert", "event_time": 1, "payload": {"text": "\\ud83d"}}')
@example(b'{"id": "\\\\ud83d", "op": "upsert", "event_time": 1, "payload": {"text": "\\ud83d\\ude00"}}')
@example(b'{"id": "x", "op": "delete", "event_time": 1, "event_time": 2}')
@example(b'{"id": "x", "op": "delete", "event_time": 1, "other": [NaN]}')
@example(b'{"id": "x", "op": "delete", "event_time": 1, "other": 1e400}')
@example(b'{"id": "x", "op": "delete", "event_time": 1, "other": %b}' % (b"[" * 1023 + b"]" * 1023))
@example(b'{"id": "x", "op": "delete", "event_time": 1, "other": %b}' % (b"[" * 1024 + b"]" * 1024))
@example(b'{"id": "x", "op": "delete", "event_time": -0}')
@example(b'{"id": "x", "op": "delete", "event_time": 1e2}')
def test_any_value_is_the_same_event_or_dead_letter(value: bytes | None) -> None:
    record = (0, 0, 5, value)
    expected, found = oracle.parse(record), parse(record_table([record]))
    assert found.events.num_rows + found.dead.num_rows == 1
    if isinstance(expected, str):
        assert found.dead.column("reason").to_pylist() == [expected]
        return
    (event,) = found.events.to_pylist()
    assert event.pop("digest").hex() == expected.digest
    assert event.pop("payload") == expected.data
    assert event == {name: getattr(expected, name) for name in event}
