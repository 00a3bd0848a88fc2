"""The fault library: what may go wrong in a run's files, each with the stage and class that `diff` must name.

A fault is injected into copies of two real runs that are in parity, and of their lake. Most are forged:
the manifest's digests and checksums are those of the damaged rows, as if an engine had written them. Faults
in engines' code and in live states are in bench/faults/; docs/faults.md has the table of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parity import fault_edits as edit
from parity.fault_edits import Runs
from parity.forge import edit_rows, files_of

REFUSED = "refused"  # in place of a stage: no comparison, a sentence that says what is wrong, status 2
MODES = ("plain", "verify", "lake")  # `diff` alone, with --verify, and with the lake


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
    inject: Callable[..., Any]
    mode: str = "plain"
    roots: int | None = 1


def _run(name: str, stage: str, kind: str, inject: Callable[[Runs], object], **other: Any) -> Fault:
    return Fault(name, "run", stage, kind, inject, **other)


RUN_FAULTS: Sequence[Fault] = (
    _run("an item's row is lost", "event", "missing", edit.lose("items", status="no_features")),
    _run("a tombstone is lost", "event", "missing", edit.lose("items", op="delete")),
    _run("an item nobody sent", "event", "extra", edit.add_row("items", id="nobody sent me")),
    _run("an item's row is there twice", "event", "wrong", edit.repeat("items")),
    _run(
        "event time one millisecond off",
        "event",
        "wrong",
        edit.change_field("items", "event_time", lambda t: t + 1),
    ),
    _run(
        "version time off: a clock's skew",
        "event",
        "wrong",
        edit.change_field("items", "version_time", lambda t: t + 7),
    ),
    _run(
        "effective time off: a late event taken in time",
        "event",
        "wrong",
        edit.change_field("items", "effective_time", lambda t: t - 60_000),
    ),
    _run(
        "a time went through a float32",
        "event",
        "wrong",
        edit.change_field("items", "event_time", lambda t: int(2**16 * round(t / 2**16))),
    ),
    _run(
        "another payload under the same times",
        "event",
        "wrong",
        edit.change_field("items", "digest", edit.flip(3)),
    ),
    _run(
        "a delete became an upsert",
        "event",
        "wrong",
        edit.change_field("items", "op", lambda op: "upsert", op="delete"),
    ),
    _run(
        "a resurrected tombstone", "event", "wrong", lambda runs: edit_rows(runs.b, "items", edit.resurrect)
    ),
    _run(
        "an id with a space behind it",
        "event",
        "missing",
        edit.change_field("items", "id", lambda i: f"{i} "),
        roots=2,
    ),
    _run(
        "event times in seconds",
        "event",
        "wrong",
        edit.change_all("items", "event_time", lambda t: t // 1000),
        roots=None,
    ),
    _run("every row is there twice", "event", "wrong", edit.repeat_all, roots=None),
    _run(
        "another error status",
        "features",
        "wrong",
        edit.change_field("items", "status", lambda s: "payload_invalid", status="payload_too_large"),
    ),
    _run("a verification record is lost", "features", "missing", edit.lose("verification", channel="words")),
    _run(
        "a token is lost",
        "features",
        "wrong",
        edit.change_field("verification", "record", lambda r: r[8:], channel="words"),
    ),
    _run(
        "one bit of a token",
        "features",
        "wrong",
        edit.change_field("verification", "record", edit.flip(9), channel="words"),
    ),
    _run(
        "a token is there twice",
        "features",
        "wrong",
        edit.change_field("verification", "record", lambda r: r[:8] + r, channel="words"),
    ),
    _run(
        "tokens out of order",
        "features",
        "wrong",
        edit.change_field("verification", "record", lambda r: r[8:] + r[:8], channel="words"),
    ),
    _run(
        "a record in the other byte order",
        "features",
        "wrong",
        edit.change_field("verification", "record", edit.reversed_words(8), channel="words"),
    ),
    _run(
        "one bit of one signature value",
        "signature",
        "wrong",
        edit.change_field("signatures", "signature", edit.flip(5)),
    ),
    _run(
        "two values of a signature swapped",
        "signature",
        "wrong",
        edit.change_field("signatures", "signature", edit.swap_values),
    ),
    _run(
        "a signature in the other byte order",
        "signature",
        "wrong",
        edit.change_field("signatures", "signature", edit.reversed_words(4)),
    ),
    _run(
        "a signature cut short",
        "signature",
        "wrong",
        edit.change_field("signatures", "signature", lambda s: s[:-4]),
    ),
    _run(
        "two signatures exchanged",
        "signature",
        "wrong",
        lambda runs: edit_rows(runs.b, "signatures", edit.exchange),
        roots=2,
    ),
    _run("a signature is lost", "signature", "missing", edit.lose("signatures")),
    _run(
        "a signature under another channel's name",
        "signature",
        "wrong",
        lambda runs: edit_rows(runs.b, "signatures", edit.another_channel),
    ),
    _run(
        "a bucket entry is lost", "bucket", "wrong", edit.change_field("buckets", "entries", lambda n: n - 1)
    ),
    _run(
        "an entry in another bucket",
        "bucket",
        "wrong",
        edit.change_field("buckets", "trace", lambda t: t ^ 1),
    ),
    _run("an item in no bucket", "bucket", "missing", edit.lose("buckets")),
    _run(
        "a bucket keeps an item that is not in the index",
        "bucket",
        "extra",
        edit.add_row("buckets", id="nobody sent me"),
    ),
    _run("one draw too few", "candidate", "wrong", edit.change_field("candidates", "pairs", lambda n: n + 1)),
    _run(
        "another item was drawn",
        "candidate",
        "wrong",
        edit.change_field("candidates", "trace", lambda t: t ^ 1),
    ),
    _run("an item that drew nobody", "candidate", "missing", edit.lose("candidates")),
    _run("an edge is lost", "match", "missing", edit.lose("edges")),
    _run("an edge that nobody found", "match", "extra", edit.add_row("edges", earlier="0", later="1")),
    _run("an edge to nobody", "match", "extra", edit.add_row("edges", earlier="nobody sent me")),
    _run(
        "an edge of an item with itself",
        "match",
        "extra",
        lambda runs: edit_rows(runs.b, "edges", edit.to_itself),
    ),
    _run(
        "every edge is lost",
        "match",
        "missing",
        lambda runs: edit_rows(runs.b, "edges", list.clear),
        roots=None,
    ),
    _run(
        "strengths in lowest terms",
        "match",
        "wrong",
        lambda runs: edit_rows(runs.b, "edges", edit.reduce),
        roots=None,
    ),
    _run("an edge is there twice", "match", "wrong", edit.repeat("edges")),
    _run(
        "an edge with swapped ends", "match", "wrong", lambda runs: edit_rows(runs.b, "edges", edit.swap_ends)
    ),
    _run("a numerator one off", "match", "wrong", edit.change_field("edges", "numerator", lambda n: n - 1)),
    _run(
        "a denominator one off", "match", "wrong", edit.change_field("edges", "denominator", lambda n: n + 1)
    ),
    _run(
        "an edge of another channel",
        "match",
        "wrong",
        lambda runs: edit_rows(runs.b, "edges", edit.another_channel),
    ),
    _run("a cluster row is lost", "cluster", "missing", edit.lose("clusters")),
    _run(
        "a cluster row of an unknown item", "cluster", "extra", edit.add_row("clusters", id="nobody sent me")
    ),
    _run(
        "a member under an unknown head",
        "cluster",
        "wrong",
        edit.change_field("clusters", "head", lambda _: "nobody sent me", channel="words"),
    ),
    _run(
        "a head with a strength",
        "cluster",
        "wrong",
        edit.change_field("clusters", "numerator", lambda n: n + 1, channel=""),
    ),
    _run(
        "a member that became a head",
        "cluster",
        "wrong",
        lambda runs: edit_rows(runs.b, "clusters", edit.make_head),
    ),
    _run(
        "a member of another cluster",
        "cluster",
        "wrong",
        lambda runs: edit_rows(runs.b, "clusters", edit.move_to_another),
    ),
    _run(
        "a cluster under another head",
        "cluster",
        "wrong",
        lambda runs: edit_rows(runs.b, "clusters", edit.turn_cluster),
    ),
    _run(
        "the strength of a membership",
        "cluster",
        "wrong",
        edit.change_field("clusters", "numerator", lambda n: n + 1, channel="words"),
    ),
    _run("one more dead letter", "event", "wrong", edit.manifest(edit.more_dead)),
    # Both runs wrong alike
    _run(
        "both runs missed an event",
        "lake",
        "missing",
        edit.lose_everywhere(edit.lonely),
        mode="lake",
        roots=2,
    ),
    _run(
        "both runs missed a tombstone",
        "lake",
        "missing",
        edit.lose_everywhere(lambda rows: str(edit.tombstone(rows)["id"])),
        mode="lake",
        roots=2,
    ),
    _run(
        "both runs brought a deleted item back",
        "lake",
        "wrong",
        edit.both_edit("items", edit.resurrect),
        mode="lake",
        roots=2,
    ),
    _run(
        "both runs have an older version",
        "lake",
        "wrong",
        edit.both_edit("items", lambda rows: edit.pick(rows).update(event_time=5, version_time=5)),
        mode="lake",
        roots=2,
    ),
    _run(
        "both runs have an event past the fence",
        "lake",
        "extra",
        edit.both_edit(
            "items", lambda rows: rows.append(edit.pick(rows) | {"id": "from the future", "offset": 10**9})
        ),
        mode="lake",
        roots=2,
    ),
    _run(
        "both runs counted a dead letter too many",
        "lake",
        "wrong",
        edit.both_manifests(edit.more_dead),
        mode="lake",
        roots=2,
    ),
    _run("the lake lost a file", REFUSED, "is not there", edit.lose_lake_file, mode="lake"),
    _run("a lake file lost a record", REFUSED, "record", edit.shorten_lake_file, mode="lake"),
    # Files and manifests
    _run(
        "a shard file is missing", REFUSED, "is missing", lambda runs: files_of(runs.b, "edges")[0].unlink()
    ),
    _run(
        "a shard file is truncated",
        REFUSED,
        "by the manifest",
        edit.damage("edges", lambda d: d.__delitem__(slice(-9, None))),
    ),
    _run(
        "a footer is damaged",
        REFUSED,
        "is no Parquet file",
        edit.damage("edges", lambda d: d.__setitem__(slice(-30, None), bytes(30))),
    ),
    _run("a column is cast to float", REFUSED, "numerator is double", edit.rewrite("edges", edit.as_float)),
    _run(
        "a column is lost",
        REFUSED,
        "status is not there",
        edit.rewrite("items", lambda table: table.drop_columns("status")),
    ),
    _run("a shard file is there twice", REFUSED, "is not in the manifest", edit.copy_file),
    _run("a shard file is listed twice", REFUSED, "the manifest gives items", edit.duplicate_file),
    _run(
        "a byte of a file flipped",
        REFUSED,
        "checksum",
        edit.damage("signatures", edit.flip_byte),
        mode="verify",
    ),
    _run(
        "other rows behind the old digests",
        REFUSED,
        "does not have the digests",
        edit.forge_behind_digests,
        mode="verify",
    ),
    _run(
        "a digest is tampered with", REFUSED, "does not have the digests", edit.manifest(edit.tamper_digest)
    ),
    _run("a digest of a shard that is none", REFUSED, "is no digest", edit.manifest(edit.no_shard)),
    _run(
        "a row count is tampered with",
        REFUSED,
        "the manifest gives clusters",
        edit.manifest(edit.rows_in_manifest),
    ),
    _run("another contract", REFUSED, "semantics", edit.manifest(edit.forge_contract)),
    _run(
        "a contract id that is not its contract's",
        REFUSED,
        "is not the id of its contract",
        edit.manifest(lambda m: m["contract"].update(semantics=99)),
    ),
    _run("a fence one record further", REFUSED, "different fences", edit.manifest(edit.move_fence)),
    _run("a topic that was made again", REFUSED, "they differ in topic", edit.manifest(edit.another_topic)),
    _run(
        "a manifest without its stages",
        REFUSED,
        "stages is missing",
        edit.manifest(lambda m: m.pop("stages")),
    ),
    _run("a run format of the future", REFUSED, "reads format", edit.manifest(lambda m: m.update(format=99))),
)
