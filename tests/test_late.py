"""Runs at two fences of one log: what only one of them saw is late, and explains all that follows."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.align import AlignmentError
from parity.diff import Options, diff
from parity.forge import edit_manifest, edit_rows
from parity.result import Result
from shared.fence import Fence
from shared.run import Run, open_run
from tests import runs
from tests.histories import History, histories, random_history
from tests.oracle import expect
from tests.runs import sample
from tests.test_diff_histories import rows_of

ALLOWED = Options(allow_late=True)


def run_at(history: History, cut: int, path: Path) -> Run:
    """The run of the records appended before `cut`, at the fence where that is."""
    records = history.records[:cut]
    ends = {partition: 0 for partition, *_ in history.records}
    for partition, offset, *_ in records:
        ends[partition] = max(ends[partition], offset + 1)
    fence = Fence.at("cluster-1", "topic-1", ends)
    part = History(history.spec, records)
    watermark = expect(part.spec, part.records).watermark
    source = {"fence": fence.to_json()} | ({} if watermark is None else {"watermark_ms": watermark})
    return open_run(runs.write(path, *rows_of(part), source=source))


def compare(history: History, cut_a: int, cut_b: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        a, b = (run_at(history, cut, Path(folder) / name) for cut, name in ((cut_a, "a"), (cut_b, "b")))
        result = diff(a, b, ALLOWED)
        held = diff(a, b, replace(ALLOWED, verify=True))
        assert held.causes == result.causes  # all rows follow from their own run
        assert held.held == held.differing
        return result


def check(result: Result) -> None:
    assert {count.cause for count in result.causes if count.total} <= {"event"}
    assert sum(count.total for count in result.causes) == sum(count.late for count in result.causes)
    assert result.passed


@settings(max_examples=40)
@given(histories(), st.data())
def test_what_one_run_has_not_seen_is_late_and_nothing_else(history: History, data: st.DataObject) -> None:
    cuts = st.integers(0, len(history.records))
    check(compare(history, data.draw(cuts), data.draw(cuts)))


@pytest.mark.parametrize("seed", [7, 53, 118])  # 118: with a retention, whose horizon moves
def test_seeded_histories(seed: int) -> None:
    history = random_history(seed)
    half = len(history.records) // 2
    results = [compare(history, half, len(history.records)), compare(history, len(history.records), half)]
    for result in results:
        check(result)
        assert result.causes[0].late > 2 and result.causes[0].explains > 2
        assert "fences" in result.aligned_by


def event(time: int) -> bytes:
    return orjson.dumps({"id": "a", "op": "upsert", "event_time": time, "payload": {"text": "a b"}})


def test_a_watermark_that_only_a_repeat_reached_forgets_the_event_itself(tmp_path: Path) -> None:
    """The last two records are one event, whose version time is the first one's: 1,002, below 1,003 - 0."""
    spec = random_history(118).spec | {"times": {"max_skew_ms": 3, "retention_ms": 0}}
    history = History(spec, ((0, 0, 1000, event(1000)), (1, 0, 999, event(1003)), (0, 1, 1003, event(1003))))
    assert not run_at(history, 3, tmp_path).rows("items")
    check(compare(history, 1, 3))


def test_a_run_with_a_retention_says_its_watermark(tmp_path: Path) -> None:
    a, b = (run_at(random_history(118), cut, tmp_path / str(cut)) for cut in (20, 40))
    edit_manifest(b.path, lambda manifest: manifest["input"].pop("watermark_ms"))
    with pytest.raises(AlignmentError, match=r"/40 does not say its watermark, .*; write it again"):
        diff(a, open_run(b.path), ALLOWED)


def test_a_late_event_excuses_no_bucket_that_its_own_run_does_not_give(tmp_path: Path) -> None:
    history = random_history(7)
    a = run_at(history, len(history.records) // 2, tmp_path / "a")
    b = run_at(history, len(history.records), tmp_path / "b")
    late = {d.id for d in diff(a, b, ALLOWED).differences}

    def lose_an_entry(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["id"] in late)["entries"] -= 1

    edit_rows(b.path, "buckets", lose_an_entry)
    assert diff(a, open_run(b.path), ALLOWED).passed
    held = diff(a, open_run(b.path), replace(ALLOWED, verify=True))
    assert [(d.cause, d.kind) for d in held.differences if d.kind != "late"] == [("bucket", "extra")]
    assert not held.passed


def late_run(path: Path, **change: int) -> Run:
    rows = sample()
    rows["items"][3] |= change
    fence = Fence.at("cluster-1", "topic-1", {0: 41, 1: 50})
    return open_run(runs.write(path, rows, source={"fence": fence.to_json()}))


def test_a_fault_before_both_fences_is_no_late_event(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample()))
    before = diff(a, late_run(tmp_path / "b", event_time=99, offset=39), ALLOWED)
    assert (before.causes[0].wrong, before.causes[0].late) == (1, 0) and not before.passed
    past = diff(a, late_run(tmp_path / "c", event_time=99, offset=40), ALLOWED)
    assert (past.causes[0].wrong, past.causes[0].late) == (0, 1) and past.passed


def test_late_may_be_gated(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample()))
    b = late_run(tmp_path / "b", event_time=99, offset=40)
    assert not diff(a, b, Options(allow_late=True, gates={"late": 0})).passed


def test_without_the_option_unequal_fences_are_refused(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample()))
    with pytest.raises(AlignmentError, match="compare them with --allow-late"):
        diff(a, late_run(tmp_path / "b"))


def test_other_logs_and_files_are_refused(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample()))
    other = {"fence": Fence.at("cluster-1", "topic-2", {0: 40}).to_json()}
    with pytest.raises(AlignmentError, match="are of different logs"):
        diff(a, open_run(runs.write(tmp_path / "b", sample(), source=other)), ALLOWED)
    with pytest.raises(AlignmentError, match="c was made from files without offsets"):
        diff(a, open_run(runs.write(tmp_path / "c", sample(), source={"event_set": "1:ab"})), ALLOWED)


def test_a_late_event_excuses_only_what_follows_from_its_own_run(tmp_path: Path) -> None:
    """One run has lost every edge. Nearly all is near a late event; its clusters do not follow from it."""
    history = random_history(53)
    half = len(history.records) // 2
    a, b = (run_at(history, cut, tmp_path / name) for name, cut in (("a", half), ("b", len(history.records))))
    assert diff(a, b, ALLOWED).passed
    edit_rows(b.path, "edges", lambda rows: rows.clear())
    result = diff(a, open_run(b.path), ALLOWED)
    assert not result.passed and result.causes[-1].total > 5


def test_the_strength_of_an_edge_has_nothing_to_do_with_draws(tmp_path: Path) -> None:
    history = random_history(53)
    half = len(history.records) // 2
    a, b = (run_at(history, cut, tmp_path / name) for name, cut in (("a", half), ("b", len(history.records))))
    late = {row["id"] for row in b.read("items").to_pylist()} - {
        row["id"] for row in a.read("items").to_pylist()
    }
    same = {
        (r["later"], r["earlier"]) for r in a.read("edges").to_pylist() if r in b.read("edges").to_pylist()
    }
    later, earlier = min(pair for pair in same if not late & set(pair))

    def weaken(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if (row["later"], row["earlier"]) == (later, earlier):
                row["numerator"] -= 1

    edit_rows(b.path, "edges", weaken)
    result = diff(a, open_run(b.path), ALLOWED)
    assert [(d.id, d.earlier) for d in result.differences if d.cause == "match"] == [(later, earlier)]


def test_an_event_past_its_own_fence_is_not_late(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample()))
    result = diff(a, late_run(tmp_path / "b", event_time=99, offset=10**9), ALLOWED)
    assert (result.causes[0].wrong, result.causes[0].late) == (1, 0)


def test_who_saw_more_has_no_fewer_dead_letters(tmp_path: Path) -> None:
    a = open_run(runs.write(tmp_path / "a", sample(), dead_letters={"not_json": 3}))
    ahead = {"fence": Fence.at("cluster-1", "topic-1", {0: 41, 1: 50}).to_json()}
    for count, passed in ((2, False), (3, True), (4, True)):
        b = runs.write(tmp_path / f"b{count}", sample(), source=ahead, dead_letters={"not_json": count})
        assert diff(a, open_run(b), ALLOWED).passed is passed
