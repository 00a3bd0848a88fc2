"""A small log in which every rule of the semantics decides something: what faults are injected into.

A few hundred items: copies and variants in full buckets, pairs on the threshold itself, ties in every
time, late and skewed events, edits, deletes, deletes at the time of an upsert, repeats, unusable payloads,
dead letters.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shared.fence import Fence
from shared.lake import Lake, write_lake, write_lake_file
from shared.records import RECORD_SCHEMA
from shared.spec import Spec, from_dict
from stream.logs.protocol import LogIdentity

LOG = LogIdentity("cluster-1", "topic-1", "items")
PARTITIONS = 3
LIMIT = 300  # bytes of a payload
START = 1_700_000_000_000

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


def spec(rule: str = "heads") -> Spec:
    """rule: of clusters."""
    return from_dict(SPEC | {"clusters": {"rule": rule}})


@dataclass
class _Log:
    """Appends events; the broker's clock goes 50 ms an append."""

    rng: random.Random
    rows: list[tuple[int, int, int, bytes | None]]
    now: int = START

    def append(self, value: bytes | None) -> None:
        self.now += 50
        partition = self.rng.randrange(PARTITIONS)
        offset = sum(row[0] == partition for row in self.rows)
        self.rows.append((partition, offset, self.now, value))

    def event(self, item: str, text: str | None, time: int) -> None:
        body: dict[str, Any] = {"id": item, "op": "delete" if text is None else "upsert", "event_time": time}
        if text is not None:
            body["payload"] = {"text": text}
        self.append(json.dumps(body, ensure_ascii=False).encode())


def records() -> pa.Table:
    """RECORD_SCHEMA, the same for ever, in the order of the appends."""
    rng = random.Random(11)
    log = _Log(rng, [])
    words = ["".join(rng.choice(_SYLLABLES) for _ in range(3)) for _ in range(120)]
    texts: dict[str, str] = {}
    for base in range(14):
        own = rng.sample(words, 17)
        for copy in range(24):
            item = f"{chr(97 + copy)}{base:02d}"  # ids of a base do not come in the order of its copies
            texts[item] = " ".join(_variant(rng, own, words, copy))
            _first_event(log, rng, item, texts[item], copy)
    for three in range(
        8
    ):  # the third is as similar to the first as to the second, which are not to each other
        own = rng.sample(words, 23)
        for item, some in (("x", own[:17]), ("y", own[:11] + own[17:]), ("z", own[:14] + own[17:20])):
            texts[f"{item} {three}"] = " ".join(some)
            log.event(f"{item} {three}", texts[f"{item} {three}"], log.now)
    items = sorted(texts)
    for item in rng.sample(items, 40):  # edits, some of them to what another item says
        log.event(item, texts[rng.choice(items)], log.now + rng.randrange(-9_000, 9_000, 1_000))
    for item in rng.sample(items, 25):
        log.event(item, None, log.now + rng.choice((0, -60_000, 60_000)))
    for item in rng.sample(items, 12):  # a delete and an upsert of one time: the delete wins
        time = log.now + 500
        log.event(item, texts[item], time)
        log.event(item, None, time)
    for item in rng.sample(items, 10):  # a repeat, much later
        log.event(item, texts[item], START + 100)
        log.now += 40_000
        log.event(item, texts[item], START + 100)
    for n, text in enumerate(("", " \t", "\u3000", "x " * (LIMIT // 2), "x " * LIMIT, "y " * LIMIT)):
        log.event(f"odd {n}", text, log.now)
    for value in (None, b"[]", b'{"id": "a"', b'{"id": "", "op": "delete", "event_time": 1}'):
        log.append(value)
    log.event("an id of more than thirty-two bytes, which is none too many", texts[items[0]], log.now)
    for base in range(4):  # the first of their kind, when nothing comes after it
        log.event(f"f{base:02d}", None, log.now)
    columns = zip(*log.rows, strict=True)
    partition, offset, append_time, values = columns
    key = pa.nulls(len(partition), pa.binary())
    arrays = (partition, offset, append_time, key, values)
    return pa.table(
        [pa.array(a, f.type) for a, f in zip(arrays, RECORD_SCHEMA, strict=True)], schema=RECORD_SCHEMA
    )


def _variant(rng: random.Random, own: list[str], words: list[str], copy: int) -> list[str]:
    """Of 17 words: all; all but three new ones (14 of 20 in common: 0.7 exactly); fewer; others."""
    if copy % 4 == 0:
        return own
    if copy % 4 == 1:
        return own[:14] + rng.sample(words, 3)
    if copy % 4 == 2:
        return own[: rng.randrange(9, 17)]
    return [*own, *rng.sample(words, rng.randrange(1, 6))]


def _first_event(log: _Log, rng: random.Random, item: str, text: str, copy: int) -> None:
    time = log.now - log.now % 1_000  # many ties
    late, skewed = copy % 6 == 5, copy % 11 == 7
    log.event(item, text, time - 600_000 if late else time + 7_200_000 if skewed else time)


def batches(log: pa.Table, rows: int = 60) -> Iterator[tuple[pa.Table, dict[int, int]]]:
    """(micro-batch, where the log stands after it), as a consumer that follows all partitions gets them."""
    positions: dict[int, int] = {}
    for start in range(0, log.num_rows, rows):
        batch = log.slice(start, rows)
        places = zip(*(batch.column(name).to_pylist() for name in ("partition", "offset")), strict=True)
        positions |= {partition: offset + 1 for partition, offset in places}
        yield batch, dict(positions)


def write_the_lake(folder: Path, log: pa.Table) -> Path:
    """The same records as a lake, in files of 100."""
    files, ends = [], {}
    for partition in range(PARTITIONS):
        rows = log.filter(pc.equal(log.column("partition"), partition))
        ends[partition] = rows.num_rows
        for base in range(0, rows.num_rows, 100):
            part = rows.slice(base, 100)
            files.append(write_lake_file(folder, partition, base, base + part.num_rows, part))
    write_lake(folder, Lake("items", Fence.at(LOG.cluster, LOG.topic_id, ends), tuple(files)))
    return folder
