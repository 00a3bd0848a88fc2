"""What the faults of parity/faults.py do to the rows, files and manifests of copied runs."""

import hashlib
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from parity.forge import Rows, edit_manifest, edit_rows, files_of, overwrite
from shared.contract import id_of
from shared.run import MANIFEST, STAGES


@dataclass(frozen=True)
class Runs:
    """Copies to be damaged: two runs in parity and the lake that both were made from."""

    a: Path
    b: Path
    lake: Path


# --- Rows: which one a fault takes, and what it does to it


def _id_of(row: dict[str, Any]) -> str:
    return str(row.get("later", row.get("id")))


def pick(rows: Rows, wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> dict[str, Any]:
    """One row in the middle of those wanted, the same every time."""
    found = [row for row in rows if wanted(row)]
    return found[len(found) // 2]


def change_field(stage: str, field: str, value: Callable[[Any], Any], **where: str) -> Callable[[Runs], None]:
    """One row of B gets another value; where: field = value of the rows to choose from."""

    def change(rows: Rows) -> None:
        row = pick(rows, lambda row: all(row[name] == wanted for name, wanted in where.items()))
        row[field] = value(row[field])

    return lambda runs: edit_rows(runs.b, stage, change)


def change_all(stage: str, field: str, value: Callable[[Any], Any]) -> Callable[[Runs], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            row[field] = value(row[field])

    return lambda runs: edit_rows(runs.b, stage, change)


def lose(stage: str, **where: str) -> Callable[[Runs], None]:
    def change(rows: Rows) -> None:
        rows.remove(pick(rows, lambda row: all(row[name] == wanted for name, wanted in where.items())))

    return lambda runs: edit_rows(runs.b, stage, change)


def repeat(stage: str) -> Callable[[Runs], None]:
    return lambda runs: edit_rows(runs.b, stage, lambda rows: rows.append(pick(rows)))


def repeat_all(runs: Runs) -> None:
    for stage in STAGES:
        edit_rows(runs.b, stage, lambda rows: rows.extend(rows.copy()))


def add_row(stage: str, **changes: Any) -> Callable[[Runs], None]:
    return lambda runs: edit_rows(runs.b, stage, lambda rows: rows.append(pick(rows) | changes))


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda value: value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]


def swap_values(value: bytes) -> bytes:
    """The first two values (uint32) that are not equal change places."""
    parts = [value[i : i + 4] for i in range(0, len(value), 4)]
    j = next(i for i in range(1, len(parts)) if parts[i] != parts[0])
    parts[0], parts[j] = parts[j], parts[0]
    return b"".join(parts)


def reversed_words(width: int) -> Callable[[bytes], bytes]:
    return lambda value: b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))


def another_channel(rows: Rows) -> None:
    """Words found what another channel is said to have found."""
    row = pick(rows, lambda row: row["channel"] == "words")
    row["channel"] = min({row["channel"] for row in rows} - {"words"})


def exchange(rows: Rows) -> None:
    """Two items have each other's signature."""
    one = pick(rows, lambda row: row["channel"] == "words")
    other = pick(rows, lambda row: row["channel"] == "words" and row["signature"] != one["signature"])
    one["signature"], other["signature"] = other["signature"], one["signature"]


def to_itself(rows: Rows) -> None:
    row = pick(rows)
    rows.append(row | {"earlier": row["later"]})


def reduce(rows: Rows) -> None:
    for row in rows:
        divisor = math.gcd(row["numerator"], row["denominator"])
        row |= {name: row[name] // divisor for name in ("numerator", "denominator")}


def swap_ends(rows: Rows) -> None:
    row = pick(rows)
    row["earlier"], row["later"] = row["later"], row["earlier"]


def make_head(rows: Rows) -> None:
    row = pick(rows, lambda row: row["id"] != row["head"] and row["id"] not in _heads(rows))
    row |= {"head": row["id"], "channel": "", "numerator": 0, "denominator": 0}


def move_to_another(rows: Rows) -> None:
    row = pick(rows, lambda row: row["id"] != row["head"])
    row["head"] = next(head for head in sorted(_heads(rows)) if head != row["head"])


def turn_cluster(rows: Rows) -> None:
    """The members of the smallest cluster of several get another head: the same group, another name."""
    members = {head: [row for row in rows if row["head"] == head] for head in _heads(rows)}
    smallest = min((len(own), head) for head, own in members.items() if len(own) > 1)[1]
    other = next(row["id"] for row in members[smallest] if row["id"] != smallest)
    for row in members[smallest]:
        row["head"] = other


def _heads(rows: Rows) -> set[str]:
    return {row["head"] for row in rows}


# --- Faults that both runs share: only the lake tells


def both_edit(stage: str, change: Callable[[Rows], None]) -> Callable[[Runs], None]:
    def inject(runs: Runs) -> None:
        for run in (runs.a, runs.b):
            edit_rows(run, stage, change)

    return inject


def lose_everywhere(item: Callable[[Rows], str]) -> Callable[[Runs], None]:
    """Both runs never saw an id: no table has it."""

    def inject(runs: Runs) -> None:
        chosen: list[str] = []
        edit_rows(runs.a, "items", lambda rows: chosen.append(item(rows)))
        (name,) = chosen
        for run in (runs.a, runs.b):
            for stage in (
                "items",
                "signatures",
                "verification",
                "buckets",
                "candidates",
                "edges",
                "clusters",
            ):
                edit_rows(run, stage, partial(_without, name))

    return inject


def _without(name: str, rows: Rows) -> None:
    rows[:] = [row for row in rows if name not in (row.get("id"), row.get("earlier"), row.get("later"))]


def lonely(rows: Rows) -> str:
    """An item that is nobody's head or neighbour is best lost: nothing else gives it away."""
    return str(pick(rows, lambda row: row["status"] == "no_features")["id"])


def tombstone(rows: Rows) -> dict[str, Any]:
    return pick(rows, lambda row: row["op"] == "delete")


def resurrect(rows: Rows) -> None:
    tombstone(rows).update(op="upsert", status="ok", digest=bytes(range(32)))


# --- Files and manifests


def forge_contract(manifest: dict[str, Any]) -> None:
    manifest["contract"]["semantics"] += 1
    manifest["contract_id"] = id_of(manifest["contract"])


def tamper_digest(manifest: dict[str, Any]) -> None:
    shards = manifest["stages"]["edges"]["digests"]
    shard = sorted(shards)[0]
    shards[shard] = shards[shard][:-1] + ("0" if shards[shard][-1] != "0" else "1")


def rows_in_manifest(manifest: dict[str, Any]) -> None:
    manifest["stages"]["clusters"]["rows"] += 1


def move_fence(manifest: dict[str, Any]) -> None:
    offsets = manifest["input"]["fence"]["offsets"]
    offsets[sorted(offsets)[0]] += 1


def another_topic(manifest: dict[str, Any]) -> None:
    manifest["input"]["fence"]["topic"] = "a-topic-made-again"


def more_dead(manifest: dict[str, Any]) -> None:
    reasons = manifest["counts"].setdefault("dead_letters", {})
    reasons["not_json"] = reasons.get("not_json", 0) + 1


def damage(stage: str, change: Callable[[bytearray], object]) -> Callable[[Runs], None]:
    return lambda runs: overwrite(files_of(runs.b, stage)[0], change)


def flip_byte(data: bytearray) -> None:
    data[len(data) // 3] ^= 1


def forge_behind_digests(runs: Runs) -> None:
    """Other rows with checksums of their own, under the old digests."""
    stages = ("edges",)
    before = {s: orjson.loads((runs.b / MANIFEST).read_bytes())["stages"][s]["digests"] for s in stages}
    edit_rows(runs.b, "edges", lambda rows: pick(rows).update(numerator=1))
    edit_manifest(runs.b, lambda m: [m["stages"][s].update(digests=before[s]) for s in stages])


def copy_file(runs: Runs) -> None:
    """As a retry of a task may leave one."""
    file = files_of(runs.b, "edges")[0]
    shutil.copy(file, file.with_name("part-copy.parquet"))


def duplicate_file(runs: Runs) -> None:
    """A shard file is there twice, and the manifest lists both: every row of it twice."""
    file = files_of(runs.b, "items")[0]
    shutil.copy(file, file.with_name("part-9.parquet"))

    def change(manifest: dict[str, Any]) -> None:
        entry = manifest["stages"]["items"]
        first = next(f for f in entry["files"] if f["path"].endswith(file.name))
        entry["files"].append(dict(first, path="items/part-9.parquet"))

    edit_manifest(runs.b, change)


def rewrite(stage: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Runs], None]:
    """B's files are written by a program of its own; sizes and checksums agree, the digests are as before."""

    def sign(run: Path, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            data = (run / entry["path"]).read_bytes()
            entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    def inject(runs: Runs) -> None:
        for file in files_of(runs.b, stage):
            pq.write_table(change(pq.read_table(file)), file)
        edit_manifest(runs.b, lambda m: sign(runs.b, m["stages"][stage]["files"]))

    return inject


def as_float(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("numerator")
    return table.set_column(place, "numerator", table.column("numerator").cast(pa.float64()))


def no_shard(manifest: dict[str, Any]) -> None:
    digests = manifest["stages"]["items"]["digests"]
    digests["zz"] = digests.pop(sorted(digests)[0])


def lose_lake_file(runs: Runs) -> None:
    sorted(runs.lake.glob("partition=*/*.parquet"))[0].unlink()


def shorten_lake_file(runs: Runs) -> None:
    """A lake file lost its last records, and was written whole again."""
    file = sorted(runs.lake.glob("partition=*/*.parquet"))[0]
    table = pq.read_table(file)
    pq.write_table(table.slice(0, table.num_rows - 1), file)

    def change(lake: dict[str, Any]) -> None:
        for entry in lake["files"]:
            if (runs.lake / entry["path"]) == file:
                entry["bytes"] = file.stat().st_size

    manifest = runs.lake / "lake.json"
    data = orjson.loads(manifest.read_bytes())
    change(data)
    manifest.write_bytes(orjson.dumps(data))


def manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Runs], None]:
    return lambda runs: edit_manifest(runs.b, change)


def both_manifests(change: Callable[[dict[str, Any]], object]) -> Callable[[Runs], None]:
    def inject(runs: Runs) -> None:
        for run in (runs.a, runs.b):
            edit_manifest(run, change)

    return inject
