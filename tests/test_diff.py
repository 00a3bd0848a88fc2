from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.diff import Options, diff
from parity.document import to_json
from parity.render import show
from parity.result import Difference, Result
from parity.rows import parts
from parity.show import WIDTH, console, explain_command
from shared.contract import contract_id
from shared.run import open_run
from shared.spec import from_dict, load, to_dict
from tests import golden_files, runs
from tests.runs import bucket, drew, edge, head, item, member, record, sample, signature


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runs have short relative paths, so that golden files can hold them."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def compare(a: runs.Rows, b: runs.Rows, verify: bool = False) -> Result:
    runs.write(Path("a"), a)
    runs.write(Path("b"), b)
    return diff(open_run("a"), open_run("b"), Options(verify=verify))


def brief(result: Result) -> list[tuple[str, str, str, int]]:
    return [(d.cause, d.kind, d.id, d.explains) for d in result.differences]


def only(result: Result) -> Difference:
    assert len(result.differences) == 1
    return result.differences[0]


def rows_differ(result: Result) -> dict[str, int]:
    return {stage.stage: stage.rows_differ for stage in result.stages if stage.rows_differ}


@pytest.mark.parametrize("verify", [False, True])
def test_equal_runs_are_in_parity_whatever_the_engine_order_and_files(verify: bool) -> None:
    a, b = sample(), sample()
    for rows in b.values():
        rows.reverse()
    for row in b["items"]:
        row |= {"append_time": 99, "partition": 7, "offset": 1234}  # outside the digest
    result = compare(a, b, verify)
    assert result.parity and result.total == 0 and result.differences == ()
    assert result.verified is verify
    assert [(s.rows_a, s.rows_b, s.shards_differ) for s in result.stages] == [
        (7, 7, 0), (6, 6, 0), (6, 6, 0), (6, 6, 0), (4, 4, 0), (4, 4, 0), (6, 6, 0),
    ]  # fmt: skip


def test_a_missing_item_explains_all_that_follows_from_it() -> None:
    b = sample()
    for stage, key in (("items", "id"), ("signatures", "id"), ("verification", "id"), ("clusters", "id")):
        b[stage] = [row for row in b[stage] if row[key] != "a"]
    b["edges"] = [row for row in b["edges"] if row["earlier"] != "a"]
    b["clusters"] = [head("b"), member("c", "b"), head("d"), member("e", "d"), head("f")]
    result = compare(sample(), b)
    # signature, record, 2 edges, and the cluster rows of a, b and c
    assert brief(result) == [("event", "missing", "a", 7)]
    assert rows_differ(result) == {"items": 1, "signatures": 1, "verification": 1, "edges": 2, "clusters": 3}
    assert not result.parity


def test_an_extra_item() -> None:
    a = sample()
    a["items"] = [row for row in a["items"] if row["id"] != "g"]
    assert brief(compare(a, sample())) == [("event", "extra", "g", 0)]


def test_another_digest_is_charged_to_the_event() -> None:
    b = sample()
    b["items"][3]["digest"] = b"\xff" * 32
    b["signatures"][3] = signature("d", *range(50, 58))
    b["edges"] = [row for row in b["edges"] if row["earlier"] != "d"]
    b["clusters"][4] = head("e")
    result = compare(sample(), b)
    assert brief(result) == [("event", "wrong", "d", 3)]
    assert [(f.name, f.b) for f in only(result).fields] == [("digest", "ff" * 32)]


def test_a_flipped_signature_bit() -> None:
    b = sample()
    b["signatures"][2] = signature("c", 2, 3, 4, 5 ^ 16, 6, 7, 8, 9)
    result = compare(sample(), b)
    assert brief(result) == [("signature", "wrong", "c", 0)]
    (field,) = only(result).fields
    assert (field.name, field.a, field.b) == ("words.signature", 5, 21)
    assert field.note == "1 of 8 values differ, the first at 3"


def test_other_tokens_are_features_and_explain_the_signature() -> None:
    b = sample()
    b["verification"][2] = record("c", *range(21, 34))
    b["signatures"][2] = signature("c", *range(8))
    result = compare(sample(), b)
    assert brief(result) == [("features", "wrong", "c", 1)]
    (field,) = only(result).fields
    assert (field.a, field.b, field.note) == ("12 tokens", "13 tokens", "11 in common")


def test_a_lost_bucket_entry_explains_what_was_not_drawn_for_it() -> None:
    b = sample()
    b["buckets"][4] = bucket("e", 3, trace=77)
    b["candidates"][2] = drew("e")
    b["edges"].remove(edge("d", "e"))
    b["clusters"][4] = head("e")
    result = compare(sample(), b)
    assert brief(result) == [("bucket", "wrong", "e", 3)]
    assert [(f.name, f.a, f.b) for f in only(result).fields] == [("entries", 4, 3), ("trace", 1101, 77)]


def test_an_entry_that_a_deleted_item_left_explains_what_drew_it() -> None:
    """Nobody knows which buckets it is in: it has no signature."""
    b = sample()
    b["buckets"].append(bucket("g", 1))
    b["candidates"][3] = drew("f", "d", "g")
    assert brief(compare(sample(), b)) == [("bucket", "extra", "g", 1)]


def test_another_draw_is_a_candidate_and_explains_the_edge() -> None:
    b = sample()
    b["candidates"][1] = drew("c", "a")
    b["edges"].remove(edge("b", "c"))
    assert brief(compare(sample(), b)) == [("candidate", "wrong", "c", 1)]


def test_swapped_ends_are_one_difference() -> None:
    b = sample()
    b["edges"][3] = edge("e", "d")
    assert brief(compare(sample(), b)) == [("match", "wrong", "d", 1)]


def test_only_another_status_is_charged_to_the_features() -> None:
    b = sample()
    b["items"][3]["status"] = "payload_changed"
    for stage in ("verification", "signatures", "buckets"):
        b[stage] = [row for row in b[stage] if row["id"] != "d"]
    result = compare(sample(), b)
    assert brief(result) == [("features", "wrong", "d", 3)]
    assert ("status", "ok", "payload_changed") in [(f.name, f.a, f.b) for f in only(result).fields]


def test_a_lost_edge_explains_the_member_that_became_a_head() -> None:
    b = sample()
    b["edges"].remove(edge("d", "e"))
    b["clusters"][4] = head("e")
    result = compare(sample(), b)
    assert brief(result) == [("match", "missing", "e", 1)]
    assert only(result).earlier == "d"


def test_an_edge_with_another_strength() -> None:
    b = sample()
    b["edges"][0] = edge("a", "b", 7)
    b["clusters"][1] = member("b", "a", 7)
    result = compare(sample(), b)
    assert brief(result) == [("match", "wrong", "b", 1)]
    assert [(f.name, f.a, f.b) for f in only(result).fields] == [("numerator", 8, 7)]


def test_a_moved_member_is_a_difference_of_its_own() -> None:
    b = sample()
    b["clusters"][2] = member("c", "d")
    result = compare(sample(), b)
    assert brief(result) == [("cluster", "wrong", "c", 0)]
    assert [(f.name, f.a, f.b) for f in only(result).fields] == [("head", "a", "d"), ("numerator", 9, 8)]


def test_a_head_that_moved_explains_its_members_and_neighbours() -> None:
    a, b = sample(), sample()
    for rows in (a, b):
        rows["edges"][2] = edge("b", "c", 10)  # stronger than with a: c goes wherever b is a head
    b["clusters"] = [head("a"), head("b"), member("c", "b", 10), head("d"), member("e", "d"), head("f")]
    assert brief(compare(a, b)) == [("cluster", "wrong", "b", 1)]


def test_each_row_that_does_not_follow_from_its_own_run_is_a_cause() -> None:
    """c has a stronger match with a, which is a head on both sides: b's being one is no reason."""
    b = sample()
    b["clusters"] = [head("a"), head("b"), member("c", "b"), head("d"), member("e", "d"), head("f")]
    assert brief(compare(sample(), b)) == [("cluster", "wrong", "b", 0), ("cluster", "wrong", "c", 0)]


def test_a_cluster_under_another_head_is_one_difference() -> None:
    b = sample()
    b["clusters"][3:5] = [member("d", "e"), head("e")]
    assert brief(compare(sample(), b)) == [("cluster", "wrong", "d", 1)]


def test_a_chain_is_charged_to_the_edge_where_it_began() -> None:
    """b left a for want of an edge; c followed b, d followed c, each for its earlier neighbour's sake."""
    a = {
        "items": [item(name) for name in "abcd"],
        "signatures": [],
        "verification": [],
        "edges": [edge("a", "b"), edge("b", "c"), edge("c", "d")],
        "clusters": [head("a"), member("b", "a"), member("c", "a"), member("d", "a")],
    }
    b = a | {
        "edges": [edge("b", "c"), edge("c", "d")],
        "clusters": [head("a"), head("b"), member("c", "b"), member("d", "b")],
    }
    assert brief(compare(a, b)) == [("match", "missing", "b", 3)]


def test_one_cluster_does_not_hide_a_second_cause() -> None:
    """Both members differ and share a head; only one of them has an edge that differs."""
    b = sample()
    b["edges"].remove(edge("a", "b"))
    b["clusters"][1] = head("b")
    b["clusters"][4] = head("e")
    assert brief(compare(sample(), b)) == [("match", "missing", "b", 1), ("cluster", "wrong", "e", 0)]


def test_an_edge_does_not_bear_on_its_earlier_end() -> None:
    b = sample()
    b["edges"].remove(edge("a", "b"))
    b["clusters"][:2] = [member("a", "d"), head("b")]
    assert brief(compare(sample(), b)) == [("match", "missing", "b", 1), ("cluster", "wrong", "a", 0)]


def test_a_member_is_charged_to_an_earlier_neighbour_that_is_no_head_of_its() -> None:
    b = sample()
    b["items"][1]["event_time"] += 1  # b, with which c has an edge
    b["clusters"][2] = member("c", "d")
    assert brief(compare(sample(), b)) == [("event", "wrong", "b", 1)]


def test_a_member_is_charged_to_a_head_found_by_the_head_check() -> None:
    b = sample()
    b["signatures"][3] = signature("d", *range(50, 58))
    b["clusters"][2] = member("c", "d")  # no edge between them
    assert brief(compare(sample(), b)) == [("signature", "wrong", "d", 1)]


def test_shifted_draws_are_charged_to_the_item_that_shifted_them() -> None:
    """x, y and z are copies, so they share every bucket; without x, z draws another one than before."""
    copies = {name: signature(name, *range(128)) for name in "xyz"}
    a, b = sample(), sample()
    for rows in (a, b):
        rows["items"] += [item(name, 30) for name in "xyz"]
        rows["signatures"] += copies.values()
        rows["clusters"] += [head(name) for name in "xyz"]
    b["candidates"].append(drew("z", "y"))
    b["edges"].append(edge("y", "z"))
    b["clusters"][-1] = member("z", "y")
    gone = [row for row in b["items"] if row["id"] != "x"]
    assert brief(compare(a, b)) == [("candidate", "extra", "z", 2)]
    runs.write(Path("c"), b | {"items": gone})
    assert brief(diff(open_run("a"), open_run("c"))) == [("event", "missing", "x", 3)]


def test_what_explains_most_comes_first() -> None:
    b = sample()
    b["signatures"][0] = signature("a", *range(50, 58))
    b["signatures"][3] = signature("d", *range(50, 58))
    b["edges"].remove(edge("d", "e"))
    assert brief(compare(sample(), b)) == [("signature", "wrong", "d", 1), ("signature", "wrong", "a", 0)]


def test_components_are_charged_to_the_edge_that_bridged_them() -> None:
    data = to_dict(load("text")) | {"clusters": {"rule": "components"}}
    spec = from_dict(data)
    a = {
        "items": [item(name) for name in "abcdef"],
        "signatures": [],
        "verification": [],
        "edges": [edge("a", "b"), edge("b", "c"), edge("d", "e"), edge("e", "f")],
        "clusters": [
            head("a"),
            member("b", "a"),
            member("c", "a"),
            head("d"),
            member("e", "d"),
            member("f", "d"),
        ],
    }
    b = a | {
        "edges": [*a["edges"], edge("c", "f")],
        "clusters": [head("a"), *(member(name, "a") for name in "bcdef")],
    }
    for name, rows in (("a", a), ("b", b)):
        runs.write(Path(name), rows, spec)
    assert brief(diff(open_run("a"), open_run("b"))) == [("match", "extra", "f", 3)]


def test_a_row_that_is_there_twice_is_seen() -> None:
    b = sample()
    b["clusters"].append(b["clusters"][0])
    result = compare(sample(), b)
    assert brief(result) == [("cluster", "wrong", "a", 0)]
    assert [(f.name, f.a, f.b) for f in only(result).fields] == [("rows", 1, 2)]


def test_dead_letters_are_compared_by_reason() -> None:
    runs.write(Path("a"), sample(), dead_letters={"not_json": 3, "op_unknown": 1})
    runs.write(Path("b"), sample(), dead_letters={"not_json": 4, "op_unknown": 1, "id_invalid": 2})
    result = diff(open_run("a"), open_run("b"))
    assert [(d.name, d.a, d.b) for d in result.dead_letters] == [("id_invalid", 0, 2), ("not_json", 3, 4)]
    assert not result.parity and result.total == 2
    assert (result.causes[0].cause, result.causes[0].extra, result.causes[0].wrong) == ("event", 1, 1)


def test_only_shards_that_differ_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    b = sample()
    b["items"][3]["digest"] = b"\xff" * 32
    runs.write(Path("a"), sample())
    runs.write(Path("b"), b)
    for name in ("signatures", "verification", "edges", "clusters"):
        for run in ("a", "b"):  # same size and footer, other bytes: reading it would fail
            file = next(Path(run, name).glob("*.parquet"))
            data = bytearray(file.read_bytes())
            data[4:40] = bytes(36)
            file.write_bytes(data)
    assert brief(diff(open_run("a"), open_run("b"))) == [("event", "wrong", "d", 0)]


def test_counts_are_exact_beyond_what_is_listed() -> None:
    b = sample()
    for row in b["items"]:
        row["digest"] = b"\xff" * 32
    runs.write(Path("a"), sample())
    runs.write(Path("b"), b)
    result = diff(open_run("a"), open_run("b"), Options(listed=2))
    assert result.total == 7 and len(result.differences) == 2 and result.causes[0].wrong == 7


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["a"], "a --at r/a --at 'r b'"),
        (["it's", "b"], """'it'"'"'s' b --at r/a --at 'r b'"""),
        (["a", "-b"], "--at r/a --at 'r b' -- a -b"),
        (["\x1b"], "ID --at A --at B"),
    ],
)
def test_the_command_that_explains(ids: list[str], says: str) -> None:
    assert explain_command(ids, ["r/a", "r b"]) == f"crossfade explain {says}"


def differing() -> Result:
    """One of everything."""
    b = sample()
    b["items"][3]["digest"] = b"\xff" * 32
    b["signatures"][5] = signature("f", *range(100, 108))
    b["verification"][4] = record("e", 1, 2, 3)
    b["edges"].remove(edge("a", "c", 9))
    b["clusters"][2] = member("c", "b")
    b["clusters"][1] = head("b")
    b["items"].append(item("h\x1b[31m\u202e<script>" + "x" * 100, status="image_invalid"))
    runs.write(Path("a"), sample(), engine="batch")
    runs.write(Path("b"), b, engine="stream", dead_letters={"not_json": 2})
    return diff(open_run("a"), open_run("b"))


def on_terminal(result: Result) -> str:
    out = console(record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    show(result, out)
    return out.export_text()


def stable(text: str) -> str:
    """Without the contract id, which has golden files of its own."""
    return text.replace(contract_id(load("text")), "0" * 32)


def test_terminal_output_is_golden_and_fits() -> None:
    text = on_terminal(differing())
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text and "\u202e" not in text
    golden_files.check("diff-differences.txt", stable(text))


def test_parity_on_the_terminal_is_golden() -> None:
    golden_files.check("diff-parity.txt", stable(on_terminal(compare(sample(), sample(), verify=True))))


def test_json_is_golden() -> None:
    golden_files.check("diff-differences.json", stable(to_json(differing()).decode()))


def test_a_missing_golden_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSFADE_GOLDEN", raising=False)
    with pytest.raises(AssertionError, match="is missing"):
        golden_files.check("no-such-golden.txt", "")


def test_parts_are_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of any size: as many shards at once as their files allow."""
    runs.write(Path("a"), sample())
    a = open_run("a")
    shards = sorted(int(shard, 16) for shard in a.digests("verification"))
    assert list(parts(a, a, "verification", shards)) == [shards]
    monkeypatch.setattr("parity.rows.BYTES_AT_ONCE", 1)
    assert list(parts(a, a, "verification", shards)) == [[shard] for shard in shards]
