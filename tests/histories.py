"""Random histories: small logs in which everything that may go wrong does so often.

A history is made from genes: rows of small integers within fixed bounds. Hypothesis draws and shrinks
them, `random_history` takes them from a seeded generator, and one pure function turns either into a
spec and records. Gene 0 is always the plain choice, so that shrinking ends in plain histories.
"""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Record = tuple[int, int, int, bytes | None]  # partition, offset, append time (ms), value
Bounds = dict[str, tuple[int, int]]
Genes = dict[str, int]

START_MS = 1_000
PAYLOAD_BYTES = 120  # the limit in every spec here


@dataclass(frozen=True)
class History:
    """A spec (as its TOML parses) and records in the order in which the broker appended them."""

    spec: dict[str, Any]
    records: tuple[Record, ...]


SPEC: Bounds = {
    "channels": (1, 3),
    "times": (0, 5),
    "skew": (0, 2),
    "lateness": (0, 2),
    "retention": (0, 2),
    "components": (0, 4),
}
CHANNEL: Bounds = {
    "unit": (0, 1),
    "size": (0, 2),
    "normalise": (0, 1),
    "casefold": (0, 1),
    "permutations": (4, 12),
    "seed": (1, 2),
    "bands": (1, 4),
    "rows": (1, 2),
    "first": (0, 4),
    "near": (0, 4),
    "rule": (0, 2),
    "threshold": (0, 6),
    "agreeing": (0, 4),
}
WORLD: Bounds = {
    "items": (3, 30),
    "partitions": (1, 3),
    "vocabulary": (0, 3),
    "bases": (1, 3),
    "base_length": (3, 7),
    "grid": (1, 5),  # event times are multiples of it, so that many are equal
    "lag_1": (-9, 9),  # the clocks of partitions 1 and 2 against that of partition 0, ms
    "lag_2": (-9, 9),
    "appends": (0, 9),  # 9: the source has no append times, where the spec needs none
}
RECORD_PARTS: tuple[Bounds, ...] = (
    {"what": (0, 99)},
    {"item": (0, 29), "back": (0, 9)},  # back: which earlier event a repeat or an edit takes up
    {"delta": (0, 24), "partition": (0, 2), "gap": (0, 4)},  # gap: ms since the last append
    {"place": (0, 15), "word": (0, 6), "base": (0, 2), "style": (0, 4)},
)
RECORD: Bounds = {name: bound for part in RECORD_PARTS for name, bound in part.items()}

TIMES = (
    (),
    ("skew",),
    ("lateness",),
    ("skew", "lateness"),
    ("skew", "retention"),
    ("skew", "lateness", "retention"),
)
SKEW_MS, LATENESS_MS, RETENTION_MS = (3, 0, 20), (2, 0, 15), (40, 12, 0)
THRESHOLDS = ("0.5", "0.3", "0.4", "0.6", "0.7", "0.75", "0.9")
AGREEING = (0, 0, 0, 1, 2)
DELTAS_MS = (0, 0, 0, 0, 1, -1, 2, -2, 3, -3, 5, -5, 0, 0, 8, -8, -12, -16, -20, -30, -45, 15, 60)
EXTREMES_MS = (2**53, -(2**53), 32_472_144_000_000, 0, -1)  # 32472...: the year 2999

# Ids whose order by UTF-8 differs from that by UTF-16, that prefix each other, that hold a NUL.
ODD_IDS = ("a", "b", "c", "ab", "a\0", "B", "é", "e\u0301", "\uffee", "𝄞", "z/1.jpg", "a b", "7")
IDS = ODD_IDS + tuple(f"item {i}" for i in range(30 - len(ODD_IDS)))
VOCABULARIES = (
    ("a", "b", "c", "d", "e", "f", "g"),
    ("fin", "ﬁn", "FIN", "straße", "STRASSE", "é", "e\u0301"),
    ("one", "One", "ｏｎｅ", "two_2", "深い", "नमस्ते", "x²"),
    ("aa", "aaa", "ab", "ba", "İ", "i\u0307", "😀"),
)
SEPARATORS = (" ", "  ", "\t", ", ", "\u3000")
UNUSABLE: tuple[dict[str, Any], ...] = (  # members beside id, op and event_time
    {},
    {"payload": {"text": "null"}},  # usable, with the digest of the one above
    {"payload": None},
    {"payload": {"text": 7}},
    {"payload": {"text": "x " * PAYLOAD_BYTES}},
    {"payload": {"text": "é" * (PAYLOAD_BYTES // 2)}},  # usable: just within the limit
    {"payload": {"text": "é" * (PAYLOAD_BYTES // 2) + "x"}},
    {"payload": {"vector": [1, 2.5]}},
    {"payload": {"vector": [True]}},
    {"payload": {"uri": "file:///nowhere", "sha256": "Ab" * 32}},
    {"payload": {"uri": "file:///nowhere", "sha256": "ab"}},
    {"payload": {"text": "a", "uri": "b"}},
    {"payload": "a b c"},
    {"payload": {"b": [], "a": {"d": 1, "c": None}}},
)
MALFORMED: tuple[bytes | None, ...] = (
    None,
    b"",
    b"\xff{}",
    b"[]",
    b"null",
    b'{"id": "a"',
    b'{"id": "a", "op": "upsert"}',
    b'{"op": "delete", "event_time": 1}',
    b'{"id": "a", "event_time": 1}',
    b'{"id": 5, "op": "delete", "event_time": 1000}',
    b'{"id": null, "op": "delete", "event_time": 1000}',
    b'{"id": "", "op": "delete", "event_time": 1000}',
    b'{"id": "\\ud800", "op": "delete", "event_time": 1000}',
    b'{"id": "a", "op": "upsert", "event_time": 1000, "payload": {"text": "\\udc00"}}',
    b'{"id": "a", "op": "delete", "event_time": NaN}',
    b'{"id": "' + b"\xc3\xa9" * 513 + b'", "op": "delete", "event_time": 1000}',
    b'{"id": "a", "op": "insert", "event_time": 1000}',
    b'{"id": "a", "op": ["delete"], "event_time": "x"}',
    b'{"id": "a", "op": "delete", "event_time": "1000"}',
    b'{"id": "a", "op": "delete", "event_time": 1000.0}',
    b'{"id": "a", "op": "delete", "event_time": true}',
    b'{"id": "a", "op": "delete", "event_time": null}',
    b'{"id": "a", "op": "delete", "event_time": 9007199254740993}',
    b'{"id": "a", "op": "delete", "event_time": -9007199254740993}',
)


# --- From genes to a history


@dataclass(frozen=True)
class Pack:
    """What sets one history apart from others in the same log; by default it is alone."""

    prefix: str = ""
    vocabulary: tuple[str, ...] = ()  # instead of the world's own
    offsets: tuple[int, ...] = (0, 0, 0)  # where each partition goes on


ALONE = Pack()


def make_spec(genes: Genes, channels: Sequence[Genes], smallest_character_shingle: int = 1) -> dict[str, Any]:
    """A spec of one to three channels; each is valid by itself."""
    times = {
        f"{limit}_ms" if limit == "retention" else f"max_{limit}_ms": table[genes[limit]]
        for limit, table in (("skew", SKEW_MS), ("lateness", LATENESS_MS), ("retention", RETENTION_MS))
        if limit in TIMES[genes["times"]]
    }
    return {
        "name": "random",
        "times": times,
        "limits": {"payload_bytes": PAYLOAD_BYTES},
        "clusters": {"rule": "components" if genes["components"] == 4 else "heads"},
        "channels": [
            make_channel(f"channel-{c}", channels[c], smallest_character_shingle)
            for c in range(genes["channels"])
        ],
    }


def make_channel(name: str, genes: Genes, smallest_character_shingle: int) -> dict[str, Any]:
    """A channel of text shingles, its bands cut to what its permutations allow."""
    unit = ("word", "character")[genes["unit"]]
    size = 1 + genes["size"]
    rows = genes["rows"]
    bands = min(genes["bands"], genes["permutations"] // rows)
    return {
        "name": name,
        "extractor": "text.shingles",
        "parameters": {
            "unit": unit,
            "size": max(size, smallest_character_shingle) if unit == "character" else size,
            "normalise": ("NFKC", "none")[genes["normalise"]],
            "casefold": genes["casefold"] == 0,
        },
        "minhash": {"permutations": genes["permutations"], "seed": genes["seed"]},
        "bands": {"count": bands, "rows": rows},
        "draws": {"first": genes["first"], "near": genes["near"]},
        "match": {
            "rule": "agreement" if genes["rule"] == 2 else "jaccard",
            "threshold": THRESHOLDS[genes["threshold"]],
            "min_agreeing_bands": min(AGREEING[genes["agreeing"]], bands),
        },
    }


def make_records(
    spec: dict[str, Any], world: Genes, rows: Sequence[Genes], pack: Pack = ALONE
) -> tuple[Record, ...]:
    """The records that a world's rows of genes describe, in the order of their appends."""
    words = pack.vocabulary or VOCABULARIES[world["vocabulary"]]
    ids = tuple(pack.prefix + item for item in IDS[: world["items"]])
    next_offset, clock, lags = list(pack.offsets), START_MS, (0, world["lag_1"], world["lag_2"])
    no_append_times = world["appends"] == 9 and not spec["times"]
    events: list[dict[str, Any]] = []
    records = []
    for row in rows:
        partition = row["partition"] % world["partitions"]
        clock += row["gap"]
        time = event_time(world, row, clock)
        text = make_text(world, row, words)
        value = encode(make_event(row, ids, time, text, events), row["style"])
        stray = -4 if row["back"] == 9 else 0  # a new leader's clock may be behind the old one's
        append_time = -1 if no_append_times else clock + lags[partition] + stray
        records.append((partition, next_offset[partition], append_time, value))
        next_offset[partition] += 1
    return tuple(records)


def event_time(world: Genes, row: Genes, clock: int) -> int:
    """Near the clock, early or late, or from another age; in ms."""
    if row["delta"] >= len(DELTAS_MS):
        return EXTREMES_MS[row["word"] % len(EXTREMES_MS)]
    return (clock + DELTAS_MS[row["delta"]]) // world["grid"] * world["grid"]


def make_event(
    row: Genes, ids: Sequence[str], time: int, text: str, events: list[dict[str, Any]]
) -> dict[str, Any] | bytes | None:
    """One event's members, or the bytes of a record that is none. Remembers the event in `events`."""
    what = row["what"]
    if what >= 95:
        return MALFORMED[(row["item"] + row["word"]) % len(MALFORMED)]
    event: dict[str, Any] = {
        "id": ids[row["item"] % len(ids)],
        "op": "upsert",
        "event_time": time,
        "payload": {"text": text},
    }
    earlier = events[-1 - row["back"] % len(events)] if events else event
    same_time = {"id": earlier["id"], "event_time": earlier["event_time"]}
    if 52 <= what < 61:
        event = {"id": event["id"], "op": "delete", "event_time": event["event_time"]}
    elif 61 <= what < 70:  # the same event once more
        event = dict(earlier)
        if event["op"] == "upsert" and row["style"] == 4 and event.get("payload") in (None, {"text": "null"}):
            event["payload"] = {"text": "null"} if event.get("payload") is None else None  # its digest's twin
    elif 70 <= what < 76:  # another text at the same time
        event |= same_time
    elif 76 <= what < 81:  # an upsert and a delete at the same time
        event = same_time | {"op": "delete"} if earlier["op"] == "upsert" else event | same_time
    elif 81 <= what < 85:  # another usable or unusable payload at the same time
        event = same_time | {"op": "upsert"} | UNUSABLE[(row["place"] + row["word"]) % 3]
    elif 85 <= what < 91:
        event.pop("payload")
        event |= UNUSABLE[(row["place"] + row["word"]) % len(UNUSABLE)]
    elif 91 <= what < 95:
        event["payload"] = {"text": ("", " \t", "...", "\u3000")[row["word"] % 4]}
    events.append(event)
    return event


def make_text(world: Genes, row: Genes, words: Sequence[str]) -> str:
    """One of the world's few base texts, as it is or with one word replaced, dropped or added."""
    base = row["base"] % world["bases"]
    text = [words[(base * 3 + i * (base + 1)) % len(words)] for i in range(world["base_length"])]
    place, word = row["place"], words[row["word"] % len(words)]
    if 6 <= place < 10:
        text[(place - 6) % len(text)] = word
    elif 10 <= place < 12:
        text.pop((place - 10) % len(text))
    elif 12 <= place < 14:
        text.append(word)
    elif place >= 14:
        text = [word] * (place - 13)
    return SEPARATORS[row["style"]].join(text)


def encode(event: dict[str, Any] | bytes | None, style: int) -> bytes | None:
    """The event as JSON, written in one of five ways that mean the same."""
    if not isinstance(event, dict):
        return event
    if style == 1:
        return json.dumps(event, indent=1).encode()
    if style == 2:
        ignored = {"payload": {"text": "of a delete"}} if event["op"] == "delete" else {}
        return json.dumps({"source": {"id": 1}, **dict(reversed(event.items())), **ignored}).encode()
    if style == 3:
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return json.dumps(event).encode()


# --- Seeded and drawn histories


def random_genes(rng: random.Random, bounds: Bounds) -> Genes:
    """A row of genes, each uniform within its bounds."""
    return {name: rng.randint(*bound) for name, bound in bounds.items()}


def random_history(seed: int, longest: int = 60) -> History:
    """The history of a seed, the same for ever."""
    rng = random.Random(seed)
    spec = make_spec(random_genes(rng, SPEC), [random_genes(rng, CHANNEL) for _ in range(3)])
    world = random_genes(rng, WORLD)
    rows = [random_genes(rng, RECORD) for _ in range(rng.randint(1, longest))]
    return History(spec, make_records(spec, world, rows))


def packed_histories(seed: int, count: int, longest: int = 40) -> tuple[dict[str, Any], list[History]]:
    """Up to 300 histories under one spec: one run can hold them all. They share no id, and no text or token
    but for the two usable ones in UNUSABLE.

    Offsets go on from one history to the next, so that all records together (`union`) are one log. There
    is no retention, since the watermark is the whole log's. Hold a run against the oracle of the union.
    """
    rng = random.Random(seed)
    genes = random_genes(rng, SPEC) | {"times": rng.randint(0, 3)}
    # A character shingle of one might be the space, which all histories share.
    spec = make_spec(genes, [random_genes(rng, CHANNEL) for _ in range(3)], smallest_character_shingle=2)
    world_genes = [random_genes(rng, WORLD) | {"appends": 0} for _ in range(count)]
    offsets = [0, 0, 0]
    histories = []
    for h, world in enumerate(world_genes):
        rows = [random_genes(rng, RECORD) for _ in range(rng.randint(1, longest))]
        letters = [chr(0x4E00 + 64 * h + w) for w in range(8)]
        words = tuple(letters[w] + letters[w * w % 8] for w in range(7))
        records = make_records(spec, world, rows, Pack(f"h{h:03d}-", words, tuple(offsets)))
        for partition, *_ in records:
            offsets[partition] += 1
        histories.append(History(spec, records))
    return spec, histories


def union(histories: Sequence[History]) -> History:
    """All records of packed histories, as one log."""
    return History(histories[0].spec, tuple(record for history in histories for record in history.records))


def genes(bounds: Bounds) -> st.SearchStrategy[Genes]:
    """Hypothesis' twin of `random_genes`."""
    return st.fixed_dictionaries({name: st.integers(*bound) for name, bound in bounds.items()})


def record_genes() -> st.SearchStrategy[Genes]:
    """A record's genes from four numbers: hypothesis deletes list elements well only if they are short."""
    sizes = [math.prod(high - low + 1 for low, high in part.values()) for part in RECORD_PARTS]

    def unpack(numbers: Sequence[int]) -> Genes:
        row = {}
        for part, number in zip(RECORD_PARTS, numbers, strict=True):
            rest = number
            for name, (low, high) in part.items():
                rest, gene = divmod(rest, high - low + 1)
                row[name] = low + gene
        return row

    return st.tuples(*(st.integers(0, size - 1) for size in sizes)).map(unpack)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any history, from none to some 45 records; shrinks to few records with plain genes."""
    spec = make_spec(draw(genes(SPEC)), draw(st.lists(genes(CHANNEL), min_size=3, max_size=3)))
    few, many = st.lists(record_genes(), max_size=12), st.lists(record_genes(), min_size=15, max_size=45)
    return History(spec, make_records(spec, draw(genes(WORLD)), draw(few | many)))


# --- Orders of arrival


def arrival_orders(history: History, seed: int, count: int = 3) -> Iterator[list[list[Record]]]:
    """Ways in which a consumer may get a history: lists of micro-batches of records.

    Each keeps the order of offsets inside each partition. First all records in one batch, as appended;
    then partition after partition, a record a batch; then `count` random interleavings and splits.
    """
    rng = random.Random(seed)
    logs: dict[int, list[Record]] = {}
    for record in sorted(history.records, key=lambda r: (r[0], r[1])):
        logs.setdefault(record[0], []).append(record)
    yield [list(history.records)]
    yield [[record] for partition in sorted(logs, reverse=True) for record in logs[partition]]
    for _ in range(count):
        turns = [partition for partition, log in logs.items() for _ in log]
        rng.shuffle(turns)
        nexts = {partition: iter(log) for partition, log in logs.items()}
        order = [next(nexts[partition]) for partition in turns]
        cuts = sorted(rng.randint(0, len(order)) for _ in range(rng.randint(0, 8)))
        yield [order[i:j] for i, j in zip([0, *cuts], [*cuts, len(order)], strict=True) if i < j]
