"""The fault library: what may go wrong in a run's files, each with the stage and class that `diff` must name.

A fault is injected into copies of two real runs that are in parity, and of their lake. Most are forged:
the manifest's digests and checksums are those of the damaged rows, as if an engine had written them. Faults
in engines' code and in live states are in bench/faults/; docs/faults.md has the table of all.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from parity.forge import Rows, edit_manifest, edit_rows, files_of, overwrite
from shared.contract import id_of
from shared.run import MANIFEST

REFUSED = "refused"  # in place of a stage: no comparison, a sentence that says what is wrong, status 2
MODES = ("plain", "verify", "lake")  # `diff` alone, with --verify, and with the lake


@dataclass(frozen=True)
class Runs:
    """Copies to be damaged: two runs in parity and the lake that both were made from."""

    a: Path
    b: Path
    lake: Path


@dataclass(frozen=True)
class Fault:
    """where: run, state or code. stage: one of result.CAUSES, REFUSED, or "lake" (both runs are wrong alike).

    kind: the class; of a refusal a part of its sentence. mode: the weakest of MODES that catches it.
    roots: how many differences begin at the stage; None = one for each id that the fault reaches.
    """

    name: str
    where: str
    stage: str
    kind: str
    inject: Callable[[Any], object]
    mode: str = "plain"
    roots: int | None = 1


# --- Rows: which one a fault takes, and what it does to it


def _id_of(row: dict[str, Any]) -> str:
    return str(row.get("later", row.get("id")))


def _pick(rows: Rows, wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> dict[str, Any]:
    """One row in the middle of those wanted, the same every time."""
    found = [row for row in rows if wanted(row)]
    return found[len(found) // 2]


def _change(stage: str, field: str, value: Callable[[Any], Any], **where: str) -> Callable[[Runs], None]:
    """One row of B gets another value; where: field = value of the rows to choose from."""

    def change(rows: Rows) -> None:
        row = _pick(rows, lambda row: all(row[name] == wanted for name, wanted in where.items()))
        row[field] = value(row[field])

    return lambda runs: edit_rows(runs.b, stage, change)


def _lose(stage: str, **where: str) -> Callable[[Runs], None]:
    def change(rows: Rows) -> None:
        rows.remove(_pick(rows, lambda row: all(row[name] == wanted for name, wanted in where.items())))

    return lambda runs: edit_rows(runs.b, stage, change)


def _repeat(stage: str) -> Callable[[Runs], None]:
    return lambda runs: edit_rows(runs.b, stage, lambda rows: rows.append(_pick(rows)))


def _add(stage: str, **changes: Any) -> Callable[[Runs], None]:
    return lambda runs: edit_rows(runs.b, stage, lambda rows: rows.append(_pick(rows) | changes))


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda value: value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]


def _swap_values(value: bytes) -> bytes:
    """The first two values (uint32) that are not equal change places."""
    parts = [value[i : i + 4] for i in range(0, len(value), 4)]
    j = next(i for i in range(1, len(parts)) if parts[i] != parts[0])
    parts[0], parts[j] = parts[j], parts[0]
    return b"".join(parts)


def _reversed_words(width: int) -> Callable[[bytes], bytes]:
    return lambda value: b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))


def _swap_ends(rows: Rows) -> None:
    row = _pick(rows)
    row["earlier"], row["later"] = row["later"], row["earlier"]


def _make_head(rows: Rows) -> None:
    row = _pick(rows, lambda row: row["id"] != row["head"] and row["id"] not in _heads(rows))
    row |= {"head": row["id"], "channel": "", "numerator": 0, "denominator": 0}


def _move_to_another(rows: Rows) -> None:
    row = _pick(rows, lambda row: row["id"] != row["head"])
    row["head"] = next(head for head in sorted(_heads(rows)) if head != row["head"])


def _turn_cluster(rows: Rows) -> None:
    """The members of the smallest cluster of several get another head: the same group, another name."""
    members = {head: [row for row in rows if row["head"] == head] for head in _heads(rows)}
    smallest = min((len(own), head) for head, own in members.items() if len(own) > 1)[1]
    other = next(row["id"] for row in members[smallest] if row["id"] != smallest)
    for row in members[smallest]:
        row["head"] = other


def _heads(rows: Rows) -> set[str]:
    return {row["head"] for row in rows}


# --- Faults that both runs share: only the lake tells


def _both(stage: str, change: Callable[[Rows], None]) -> Callable[[Runs], None]:
    def inject(runs: Runs) -> None:
        for run in (runs.a, runs.b):
            edit_rows(run, stage, change)

    return inject


def _lose_everywhere(item: Callable[[Rows], str]) -> Callable[[Runs], None]:
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


def _lonely(rows: Rows) -> str:
    """An item that is nobody's head or neighbour is best lost: nothing else gives it away."""
    return str(_pick(rows, lambda row: row["status"] == "no_features")["id"])


def _tombstone(rows: Rows) -> dict[str, Any]:
    return _pick(rows, lambda row: row["op"] == "delete")


def _resurrect(rows: Rows) -> None:
    _tombstone(rows).update(op="upsert", status="ok", digest=bytes(range(32)))


# --- Files and manifests


def _forge_contract(manifest: dict[str, Any]) -> None:
    manifest["contract"]["semantics"] += 1
    manifest["contract_id"] = id_of(manifest["contract"])


def _tamper_digest(manifest: dict[str, Any]) -> None:
    shards = manifest["stages"]["edges"]["digests"]
    shard = sorted(shards)[0]
    shards[shard] = shards[shard][:-1] + ("0" if shards[shard][-1] != "0" else "1")


def _rows_in_manifest(manifest: dict[str, Any]) -> None:
    manifest["stages"]["clusters"]["rows"] += 1


def _move_fence(manifest: dict[str, Any]) -> None:
    offsets = manifest["input"]["fence"]["offsets"]
    offsets[sorted(offsets)[0]] += 1


def _another_topic(manifest: dict[str, Any]) -> None:
    manifest["input"]["fence"]["topic"] = "a-topic-made-again"


def _more_dead(manifest: dict[str, Any]) -> None:
    reasons = manifest["counts"].setdefault("dead_letters", {})
    reasons["not_json"] = reasons.get("not_json", 0) + 1


def _damage(stage: str, change: Callable[[bytearray], object]) -> Callable[[Runs], None]:
    return lambda runs: overwrite(files_of(runs.b, stage)[0], change)


def _flip_byte(data: bytearray) -> None:
    data[len(data) // 3] ^= 1


def _forge_behind_digests(runs: Runs) -> None:
    """Other rows with checksums of their own, under the old digests."""
    stages = ("edges",)
    before = {s: orjson.loads((runs.b / MANIFEST).read_bytes())["stages"][s]["digests"] for s in stages}
    edit_rows(runs.b, "edges", lambda rows: _pick(rows).update(numerator=1))
    edit_manifest(runs.b, lambda m: [m["stages"][s].update(digests=before[s]) for s in stages])


def _duplicate_file(runs: Runs) -> None:
    """A shard file is there twice, and the manifest lists both: every row of it twice."""
    file = files_of(runs.b, "items")[0]
    shutil.copy(file, file.with_name("part-9.parquet"))

    def change(manifest: dict[str, Any]) -> None:
        entry = manifest["stages"]["items"]
        first = next(f for f in entry["files"] if f["path"].endswith(file.name))
        entry["files"].append(dict(first, path="items/part-9.parquet"))

    edit_manifest(runs.b, change)


def _no_shard(manifest: dict[str, Any]) -> None:
    digests = manifest["stages"]["items"]["digests"]
    digests["zz"] = digests.pop(sorted(digests)[0])


def _lose_lake_file(runs: Runs) -> None:
    sorted(runs.lake.glob("partition=*/*.parquet"))[0].unlink()


def _shorten_lake_file(runs: Runs) -> None:
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


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Runs], None]:
    return lambda runs: edit_manifest(runs.b, lambda manifest: change(manifest) and None)


def _run(name: str, stage: str, kind: str, inject: Callable[[Runs], object], **other: Any) -> Fault:
    return Fault(name, "run", stage, kind, inject, **other)


RUN_FAULTS: Sequence[Fault] = (
    _run("an item's row is lost", "event", "missing", _lose("items", status="no_features")),
    _run("a tombstone is lost", "event", "missing", _lose("items", op="delete")),
    _run("an item nobody sent", "event", "extra", _add("items", id="nobody sent me")),
    _run("an item's row is there twice", "event", "wrong", _repeat("items")),
    _run("event time one millisecond off", "event", "wrong", _change("items", "event_time", lambda t: t + 1)),
    _run("version time off: a clock's skew", "event", "wrong", _change("items", "version_time", lambda t: t + 7)),
    _run("effective time off: a late event taken in time", "event", "wrong",
         _change("items", "effective_time", lambda t: t - 60_000)),
    _run("a time went through a float32", "event", "wrong",
         _change("items", "event_time", lambda t: int(2**16 * round(t / 2**16)))),
    _run("another payload under the same times", "event", "wrong", _change("items", "digest", _flip(3))),
    _run("a delete became an upsert", "event", "wrong", _change("items", "op", lambda op: "upsert", op="delete")),
    _run("a resurrected tombstone", "event", "wrong", lambda runs: edit_rows(runs.b, "items", _resurrect)),
    _run("another error status", "features", "wrong",
         _change("items", "status", lambda s: "payload_invalid", status="payload_too_large")),
    _run("a verification record is lost", "features", "missing", _lose("verification", channel="words")),
    _run("a token is lost", "features", "wrong",
         _change("verification", "record", lambda r: r[8:], channel="words")),
    _run("one bit of a token", "features", "wrong", _change("verification", "record", _flip(9), channel="words")),
    _run("a record in the other byte order", "features", "wrong",
         _change("verification", "record", _reversed_words(8), channel="words")),
    _run("one bit of one signature value", "signature", "wrong", _change("signatures", "signature", _flip(5))),
    _run("two permutations swapped", "signature", "wrong", _change("signatures", "signature", _swap_values)),
    _run("a signature in the other byte order", "signature", "wrong",
         _change("signatures", "signature", _reversed_words(4))),
    _run("a signature cut short", "signature", "wrong", _change("signatures", "signature", lambda s: s[:-4])),
    _run("a signature is lost", "signature", "missing", _lose("signatures")),
    _run("a signature under another channel's name", "signature", "wrong",
         _change("signatures", "channel", lambda c: "chars", channel="words")),
    _run("a bucket entry is lost", "bucket", "wrong", _change("buckets", "entries", lambda n: n - 1)),
    _run("an entry in another bucket", "bucket", "wrong", _change("buckets", "trace", lambda t: t ^ 1)),
    _run("an item in no bucket", "bucket", "missing", _lose("buckets")),
    _run("a bucket keeps an item that is not in the index", "bucket", "extra",
         _add("buckets", id="nobody sent me")),
    _run("one draw too few", "candidate", "wrong", _change("candidates", "pairs", lambda n: n + 1)),
    _run("another item was drawn", "candidate", "wrong", _change("candidates", "trace", lambda t: t ^ 1)),
    _run("an item that drew nobody", "candidate", "missing", _lose("candidates")),
    _run("an edge is lost", "match", "missing", _lose("edges")),
    _run("an edge that nobody found", "match", "extra", _add("edges", earlier="0", later="1")),
    _run("an edge is there twice", "match", "wrong", _repeat("edges")),
    _run("an edge with swapped ends", "match", "wrong", lambda runs: edit_rows(runs.b, "edges", _swap_ends)),
    _run("a numerator one off", "match", "wrong", _change("edges", "numerator", lambda n: n - 1)),
    _run("a denominator one off", "match", "wrong", _change("edges", "denominator", lambda n: n + 1)),
    _run("an edge of another channel", "match", "wrong",
         _change("edges", "channel", lambda c: "chars", channel="words")),
    _run("a cluster row is lost", "cluster", "missing", _lose("clusters")),
    _run("a cluster row of an unknown item", "cluster", "extra", _add("clusters", id="nobody sent me")),
    _run("a member that became a head", "cluster", "wrong", lambda runs: edit_rows(runs.b, "clusters", _make_head)),
    _run("a member of another cluster", "cluster", "wrong",
         lambda runs: edit_rows(runs.b, "clusters", _move_to_another)),
    _run("a cluster under another head", "cluster", "wrong",
         lambda runs: edit_rows(runs.b, "clusters", _turn_cluster)),
    _run("the strength of a membership", "cluster", "wrong",
         _change("clusters", "numerator", lambda n: n + 1, channel="words")),
    _run("one more dead letter", "event", "wrong", _manifest(_more_dead)),
    # Both runs wrong alike
    _run("both runs missed an event", "lake", "missing", _lose_everywhere(_lonely), mode="lake", roots=2),
    _run("both runs missed a tombstone", "lake", "missing",
         _lose_everywhere(lambda rows: str(_tombstone(rows)["id"])), mode="lake", roots=2),
    _run("both runs brought a deleted item back", "lake", "wrong", _both("items", _resurrect), mode="lake", roots=2),
    _run("both runs have an older version", "lake", "wrong",
         _both("items", lambda rows: _pick(rows).update(event_time=5, version_time=5)), mode="lake", roots=2),
    _run("both runs have an event past the fence", "lake", "extra",
         _both("items", lambda rows: rows.append(_pick(rows) | {"id": "from the future", "offset": 10**9})),
         mode="lake", roots=2),
    _run("both runs counted a dead letter too many", "lake", "wrong",
         lambda runs: [edit_manifest(run, _more_dead) for run in (runs.a, runs.b)], mode="lake", roots=2),
    _run("the lake lost a file", REFUSED, "is not there", _lose_lake_file, mode="lake"),
    _run("a lake file lost a record", REFUSED, "record", _shorten_lake_file, mode="lake"),
    # Files and manifests
    _run("a shard file is missing", REFUSED, "is missing", lambda runs: files_of(runs.b, "edges")[0].unlink()),
    _run("a shard file is truncated", REFUSED, "by the manifest", _damage("edges", lambda d: d.__delitem__(slice(-9, None)))),
    _run("a footer is damaged", REFUSED, "is no Parquet file",
         _damage("edges", lambda d: d.__setitem__(slice(-30, None), bytes(30)))),
    _run("a shard file is listed twice", REFUSED, "the manifest gives items", _duplicate_file),
    _run("a byte of a file flipped", REFUSED, "checksum", _damage("signatures", _flip_byte), mode="verify"),
    _run("other rows behind the old digests", REFUSED, "does not have the digests", _forge_behind_digests, mode="verify"),
    _run("a digest is tampered with", REFUSED, "does not have the digests", _manifest(_tamper_digest)),
    _run("a digest of a shard that is none", REFUSED, "is no digest", _manifest(_no_shard)),
    _run("a row count is tampered with", REFUSED, "the manifest gives clusters", _manifest(_rows_in_manifest)),
    _run("another contract", REFUSED, "semantics", _manifest(_forge_contract)),
    _run("a contract id that is not its contract's", REFUSED, "is not the id of its contract",
         _manifest(lambda m: m["contract"].update(semantics=99))),
    _run("a fence one record further", REFUSED, "different fences", _manifest(_move_fence)),
    _run("a topic that was made again", REFUSED, "they differ in topic", _manifest(_another_topic)),
    _run("a manifest without its stages", REFUSED, "stages is missing", _manifest(lambda m: m.pop("stages"))),
    _run("a run format of the future", REFUSED, "reads format", _manifest(lambda m: m.update(format=99))),
)  # fmt: skip
