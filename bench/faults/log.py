"""The log of a scenario, and how both engines get it."""

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
from shared.spec import Spec
from stream.logs.protocol import LogIdentity

LOG = LogIdentity("cluster-1", "topic-1", "items")
PARTITIONS = 3
START = 1_700_000_000_000


@dataclass(frozen=True)
class Scenario:
    """A spec, and a log (RECORD_SCHEMA, in the order of the appends) in which it decides something."""

    spec: Spec
    log: pa.Table


@dataclass
class Log:
    """Appends events; the broker's clock goes 50 ms an append."""

    rng: random.Random
    rows: list[tuple[int, int, int, bytes | None]]
    now: int = START

    def append(self, value: bytes | None) -> None:
        self.now += 50
        partition = self.rng.randrange(PARTITIONS)
        offset = sum(row[0] == partition for row in self.rows)
        self.rows.append((partition, offset, self.now, value))

    def event(self, item: str, payload: Any, time: int) -> None:
        """payload: a text, another payload (a dict), or None for a delete."""
        op = "delete" if payload is None else "upsert"
        body: dict[str, Any] = {"id": item, "op": op, "event_time": time}
        if payload is not None:
            body["payload"] = {"text": payload} if isinstance(payload, str) else payload
        self.append(json.dumps(body, ensure_ascii=False).encode())

    def first_event(self, item: str, payload: Any, copy: int) -> None:
        """The copy-th of its kind: some come late, some from a clock that is ahead, many at one time."""
        time = self.now - self.now % 1_000
        late, skewed = copy % 6 == 5, copy % 11 == 7
        self.event(item, payload, time - 600_000 if late else time + 7_200_000 if skewed else time)

    def changes(self, payloads: dict[str, Any], edits: int, deletes: int, ties: int, repeats: int) -> None:
        """What happens to items later: edits, mostly to what another item is, deletes, both at once."""
        rng, items = self.rng, sorted(payloads)
        for item in rng.sample(items, edits):
            self.event(item, payloads[rng.choice(items)], self.now + rng.randrange(-9_000, 9_000, 1_000))
        for item in rng.sample(items, deletes):
            self.event(item, None, self.now + rng.choice((0, -60_000, 60_000)))
        for item in rng.sample(items, ties):  # a delete and an upsert of one time: the delete wins
            time = self.now + 500
            self.event(item, payloads[item], time)
            self.event(item, None, time)
        for item in rng.sample(items, repeats):  # a repeat, much later
            self.event(item, payloads[item], START + 100)
            self.now += 40_000
            self.event(item, payloads[item], START + 100)

    def table(self) -> pa.Table:
        partition, offset, append_time, values = zip(*self.rows, strict=True)
        arrays = (partition, offset, append_time, pa.nulls(len(partition), pa.binary()), values)
        columns = [pa.array(a, field.type) for a, field in zip(arrays, RECORD_SCHEMA, strict=True)]
        return pa.table(columns, schema=RECORD_SCHEMA)


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
