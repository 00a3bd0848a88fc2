"""Change a run as a fault would, with a manifest that says that all is well: for parity/faults.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from shared import digests
from shared.run import MANIFEST, STAGES, open_run, read_back, stage_entry
from shared.stage_writer import StageWriter

Rows = list[dict[str, Any]]


def edit_rows(run: Path, stage: str, change: Callable[[Rows], None]) -> None:
    """Write the rows of a table again as `change` left them; files, sizes, checksums and digests agree."""
    opened, table = open_run(run), STAGES[stage]
    rows = opened.read(stage).to_pylist()
    rows.sort(key=lambda row: str([row[name] for name in table.schema.names[1:3]]))
    change(rows)
    found = pa.Table.from_pylist([dict(row, shard=0) for row in rows], table.schema)
    shards = pa.array(digests.shards(found.column(table.shard_by)), pa.int32())
    found = found.set_column(0, table.schema.field("shard"), shards)
    for file in (run / stage).glob("*.parquet"):
        file.unlink()
    with StageWriter(run / stage / "part-0.parquet", table.schema, opened.contract_id) as writer:
        writer.write(found.sort_by([("shard", "ascending"), (table.shard_by, "ascending")]))
    entry = stage_entry(run, table, read_back(run, table))
    edit_manifest(run, lambda manifest: manifest["stages"].update({stage: entry}))


def edit_manifest(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = orjson.loads((run / MANIFEST).read_bytes())
    change(manifest)
    (run / MANIFEST).write_bytes(orjson.dumps(manifest))


def files_of(run: Path, stage: str) -> list[Path]:
    return sorted((run / stage).glob("*.parquet"))


def overwrite(file: Path, change: Callable[[bytearray], object]) -> None:
    """Change a file's bytes in place."""
    data = bytearray(file.read_bytes())
    change(data)
    file.write_bytes(data)


def graft(source: Path, target: Path, stages: list[str]) -> None:
    """Give `target` these tables of `source`, files and digests: what a detector that is off would see."""
    stages_of = orjson.loads((source / MANIFEST).read_bytes())["stages"]
    for stage in stages:
        for file in files_of(target, stage):
            file.unlink()
        for file in files_of(source, stage):
            (target / stage / file.name).write_bytes(file.read_bytes())
    edit_manifest(
        target, lambda manifest: manifest["stages"].update({stage: stages_of[stage] for stage in stages})
    )
