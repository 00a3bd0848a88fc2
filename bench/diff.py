"""How fast runs of five million items are compared: equal, verified, and with 1,000 rows that differ.

The runs are made here, of random rows in the run format (one member and edge in four items, 64-byte
signatures, ten tokens): what is measured is reading and comparing, not extraction.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.report import Table
from shared import digests
from shared.contract import contract_id
from shared.fence import Fence
from shared.run import STAGES, open_run, read_back, stage_entry, write_manifest
from shared.spec import Spec, from_dict
from shared.stage_writer import StageWriter

ITEMS = int(os.environ.get("CROSSFADE_BENCH_DIFF", "5000000"))
DIFFERING = 1_000
FEW = 8  # shards
TOKENS, VALUES = 10, 16

_SPEC: dict[str, Any] = {
    "name": "bench",
    "channels": [
        {
            "name": "words",
            "extractor": "text.shingles",
            "minhash": {"permutations": VALUES, "seed": 1},
            "bands": {"count": 8, "rows": 2},
            "draws": {"first": 4, "near": 4},
            "match": {"rule": "jaccard", "threshold": "0.7"},
        }
    ],
}


def run() -> Table:
    """The table of `python -m bench diff`."""
    spec = from_dict(_SPEC)
    with TemporaryDirectory() as folder:
        a, few, all_shards = (Path(folder) / name for name in ("a", "few", "all"))
        _write(spec, a)
        _damaged(spec, a, few, range(FEW))
        _damaged(spec, a, all_shards, range(digests.SHARDS))
        rows = [
            ("equal: digests, sizes, footers", *_measure(a, a)),
            ("equal, --verify: every byte and row", *_measure(a, a, "--verify")),
            (f"{DIFFERING:,} differ, in {FEW} shards", *_measure(a, few)),
            (f"{DIFFERING:,} differ, in all 256 shards", *_measure(a, all_shards)),
            ("the same, --verify: each against its own run", *_measure(a, all_shards, "--verify")),
        ]
        size = sum(file.stat().st_size for file in a.rglob("*.parquet"))
        all_rows = sum(open_run(a).rows(name) for name in STAGES)
    return Table(
        f"Comparing two runs of {ITEMS:,} items",
        ("what", "seconds", "peak MB", "MB read"),
        rows,
        [
            f"Each run: {all_rows:,} rows, {size / 1e9:.1f} GB of Parquet. A process of its own each time; "
            f"seconds with the start of Python (some 1.5 s). Read: by the process, from disk or cache.",
            "Differing: one signature value each, so that nothing but signatures is read.",
        ],
    )


def _measure(a: Path, b: Path, *options: str) -> tuple[str, str, str]:
    """(seconds, peak MB, MB read) of a `crossfade diff`."""
    code = "import cli.main, sys; cli.main.main(args=sys.argv[1:], prog_name='crossfade')"
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-c", code, "diff", str(a), str(b), *options], stdout=subprocess.DEVNULL
    )
    read = peak = 0
    while (status := child.poll()) is None:
        read = max(read, _of_process(child.pid, "io", "rchar"))
        peak = max(peak, _of_process(child.pid, "status", "VmHWM"))  # KiB
        time.sleep(0.02)
    seconds = time.monotonic() - started
    assert status in (0, 1), "diff failed"
    return f"{seconds:.1f}", f"{peak / 1024:,.0f}", f"{read / 1e6:,.0f}"


def _of_process(process: int, file: str, name: str) -> int:
    """A number in /proc; 0 once the process has ended."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) if found else 0


def _write(spec: Spec, path: Path) -> None:
    """A run of ITEMS items, shard after shard."""
    writers = {
        name: StageWriter(path / name / "part-0.parquet", stage.schema, contract_id(spec))
        for name, stage in STAGES.items()
    }
    for tables in _shards():
        for name, table in tables.items():
            writers[name].write(table)
    for writer in writers.values():
        writer.close()
    _finish(spec, path)


def _finish(spec: Spec, path: Path, stages: dict[str, Any] | None = None) -> None:
    entries = stages or {
        name: stage_entry(path, stage, read_back(path, stage)) for name, stage in STAGES.items()
    }
    fence = {"fence": Fence.at("cluster", "topic", {0: ITEMS}).to_json()}
    write_manifest(path, spec, "bench", {}, fence, entries, {"dead_letters": {}}, {})


def _shards() -> Iterator[dict[str, pa.Table]]:
    """The tables of one shard of 256 after another, by (shard, id)."""
    ids = pa.array([f"item-{i:08d}" for i in range(ITEMS)])
    shard_of = digests.shards(ids)
    rng = np.random.default_rng(1)
    for shard in range(digests.SHARDS):
        own = ids.filter(pa.array(shard_of == shard))
        n = len(own)
        yield _tables(own, pa.array(np.full(n, shard, np.int32)), np.arange(n) % 4 == 3, rng)


def _tables(own: pa.Array, shard: pa.Array, member: Any, rng: np.random.Generator) -> dict[str, pa.Table]:
    n = len(own)
    head = own.take(pa.array(np.where(member, np.arange(n) - 1, np.arange(n))))
    zeros, numbers = pa.array(np.zeros(n, np.int64)), pa.array(rng.integers(1, 2**40, n))
    text = {name: pa.array([name] * n) for name in ("upsert", "ok", "words", "")}
    fixed = {
        "signature": _binary(rng.integers(0, 2**32, (n, VALUES), dtype=np.uint32)),
        "record": _binary(np.sort(rng.integers(0, 2**63, (n, TOKENS), dtype=np.uint64), axis=1)),
        "digest": _binary(rng.integers(0, 2**63, (n, 4), dtype=np.uint64)),
    }
    columns = {"shard": shard, "id": own, "trace": numbers, "op": text["upsert"], "status": text["ok"]}
    columns |= {"channel": text["words"], "head": head, "earlier": head, "later": own, "offset": numbers}
    columns |= dict.fromkeys(("event_time", "append_time", "version_time", "effective_time"), numbers)
    columns |= {"partition": pa.array(np.zeros(n, np.int32)), "entries": numbers, "pairs": numbers} | fixed
    columns |= {"numerator": pa.array(np.full(n, 8)), "denominator": pa.array(np.full(n, 10))}
    tables = {name: _table(stage.schema, columns) for name, stage in STAGES.items()}
    tables["edges"] = tables["edges"].filter(pa.array(member))
    alone = pa.array(~member)
    for name, other in (("channel", text[""]), ("numerator", zeros), ("denominator", zeros)):
        place = tables["clusters"].schema.get_field_index(name)
        mixed = pc.if_else(alone, other, columns[name])
        tables["clusters"] = tables["clusters"].set_column(
            place, STAGES["clusters"].schema.field(name), mixed
        )
    return tables


def _table(schema: pa.Schema, columns: dict[str, pa.Array]) -> pa.Table:
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def _binary(rows: Any) -> pa.Array:
    width = rows.shape[1] * rows.itemsize
    kind = pa.binary(width)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(rows)]).cast(pa.binary())


def _damaged(spec: Spec, source: Path, target: Path, shards: range) -> None:
    """A copy in which DIFFERING signatures differ, as many in each of these shards."""
    target.mkdir()
    for name in STAGES:
        if name != "signatures":
            shutil.copytree(source / name, target / name, copy_function=os.link)
    each = -(-DIFFERING // len(shards))
    left = DIFFERING
    stage = STAGES["signatures"]
    with StageWriter(target / "signatures" / "part-0.parquet", stage.schema, contract_id(spec)) as writer:
        run = open_run(source)
        for shard in range(digests.SHARDS):
            table = run.read("signatures", [shard])
            if shard in shards:
                count = min(each, left)
                left -= count
                values = table.column("signature").to_pylist()
                values[:count] = [bytes([value[0] ^ 1]) + value[1:] for value in values[:count]]
                table = table.set_column(3, stage.schema.field("signature"), pa.array(values, pa.binary()))
            writer.write(table)
    stages = dict(open_run(source).manifest["stages"])
    stages["signatures"] = stage_entry(target, stage, read_back(target, stage))
    _finish(spec, target, stages)
