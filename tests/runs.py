"""Small runs made in code: rows in, a run's folder out."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared import digests, traces
from shared.contract import contract_id
from shared.fence import Fence
from shared.run import STAGES, read_back, stage_entry, write_manifest
from shared.spec import Spec, load
from shared.stage_writer import StageWriter

FENCE = Fence.at("cluster-1", "topic-1", {0: 40, 1: 50})
MATCH = ("channel", "numerator", "denominator")
Rows = dict[str, list[dict[str, Any]]]


def item(name: str, time: int = 1, **other: Any) -> dict[str, Any]:
    row = {"id": name, "op": "upsert", "event_time": time, "append_time": time, "version_time": time}
    row |= {
        "effective_time": time,
        "digest": hashlib.sha256(name.encode()).digest(),
        "partition": 0,
        "offset": time,
    }
    return row | {"status": "ok"} | other


def signature(name: str, *values: int) -> dict[str, Any]:
    return {
        "id": name,
        "channel": "words",
        "signature": pa.array(values, pa.uint32()).buffers()[1].to_pybytes(),
    }


def record(name: str, *tokens: int) -> dict[str, Any]:
    return {"id": name, "channel": "words", "record": pa.array(tokens, pa.uint64()).buffers()[1].to_pybytes()}


def bucket(name: str, entries: int = 4, trace: int = 0) -> dict[str, Any]:
    """What the buckets hold of an item; its trace goes with its name unless told."""
    return {"id": name, "entries": entries, "trace": trace or 1000 + ord(name[0])}


def drew(name: str, *others: str) -> dict[str, Any]:
    hashes = traces.id_hashes(pa.array(others, pa.string())).tolist()
    return {"id": name, "pairs": len(others), "trace": traces.signed(sum(hashes))}


def edge(earlier: str, later: str, numerator: int = 8, denominator: int = 10) -> dict[str, Any]:
    row = {"earlier": earlier, "later": later, "channel": "words"}
    return row | {"numerator": numerator, "denominator": denominator}


def head(name: str) -> dict[str, Any]:
    return {"id": name, "head": name, "channel": "", "numerator": 0, "denominator": 0}


def member(name: str, of: str, numerator: int = 8, denominator: int = 10) -> dict[str, Any]:
    return {"id": name, "head": of, "channel": "words", "numerator": numerator, "denominator": denominator}


def sample() -> Rows:
    """Two clusters: a with b and c, d with e; f alone; g deleted."""
    names = "abcdef"
    return {
        "items": [item(name, 10 + i) for i, name in enumerate(names)]
        + [item("g", 20, op="delete", status="deleted")],
        "signatures": [signature(name, *range(i, i + 8)) for i, name in enumerate(names)],
        "verification": [record(name, *range(10 * i, 10 * i + 12)) for i, name in enumerate(names)],
        "buckets": [bucket(name) for name in names],
        "candidates": [drew("b", "a"), drew("c", "a", "b"), drew("e", "d"), drew("f", "d")],
        "edges": [edge("a", "b"), edge("a", "c", 9), edge("b", "c"), edge("d", "e")],
        "clusters": [
            head("a"),
            member("b", "a"),
            member("c", "a", 9),
            head("d"),
            member("e", "d"),
            head("f"),
        ],
    }


def write(
    path: Path,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    spec: Spec | None = None,
    source: Mapping[str, Any] | None = None,
    dead_letters: Mapping[str, int] | None = None,
    engine: str = "test",
) -> Path:
    """A run of these rows (stage -> rows) with the `text` preset at FENCE, unless told otherwise."""
    spec = spec or load("text")
    entries = {}
    for name, stage in STAGES.items():
        (path / name).mkdir(parents=True)
        table = pa.Table.from_pylist([dict(row, shard=0) for row in rows.get(name, [])], stage.schema)
        shards = pa.array(digests.shards(table.column(stage.shard_by)), pa.int32())
        table = table.set_column(0, stage.schema.field("shard"), shards)
        with StageWriter(path / name / "part-0.parquet", stage.schema, contract_id(spec)) as writer:
            writer.write(table.sort_by([("shard", "ascending"), (stage.shard_by, "ascending")]))
        entries[name] = stage_entry(path, stage, read_back(path, stage))
    counts = {"dead_letters": dict(dead_letters or {})}
    source = dict(source or {"fence": FENCE.to_json()})
    write_manifest(path, spec, engine, {"engine": "1.0"}, source, entries, counts, {"all": 0.5})
    return path
