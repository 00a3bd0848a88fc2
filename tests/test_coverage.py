"""A run is held against a lake: what it must hold is the oracle's answer to the records before its fence."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity import lake_records, lake_winners
from parity.coverage import Coverage, cover, lake_of
from parity.fields import FieldDifference
from shared import digests, versions
from shared.fence import Fence
from shared.lake import Lake, write_lake, write_lake_file
from shared.run import Run, open_run
from shared.spec import from_dict
from tests import runs
from tests.batch.running import make_lake
from tests.engines import record_table
from tests.hand_made import event, log, make_spec
from tests.histories import History, Record, histories, packed_histories, random_history, union
from tests.oracle import Expected, expect

FIELDS = ("op", "event_time", "version_time", "effective_time", "digest")


@pytest.fixture(autouse=True)
def small_parts() -> Iterator[None]:
    """A few events are many parts, groups and folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_winners, "EVENTS_AT_ONCE", 5)
        patch.setattr(lake_records, "BATCH_ROWS", 3)
        yield


def ends_of(records: Sequence[Record]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for partition, offset, *_ in records:
        ends[partition] = max(offset + 1, ends.get(partition, 0))
    return ends


def below(records: Sequence[Record], ends: dict[int, int]) -> list[Record]:
    return [record for record in records if record[1] < ends.get(record[0], 0)]


def items_of(expected: Expected) -> dict[str, dict[str, Any]]:
    return {name: dict(row) for name, row in expected.items.items()}


def write_run(
    path: Path,
    spec: dict[str, Any],
    items: dict[str, dict[str, Any]],
    ends: dict[int, int],
    dead: dict[str, int] | None = None,
    **source: Any,
) -> Run:
    """A run with these items (as the oracle has them) at a fence of make_lake's log."""
    rows = [
        {**row, "id": name, "digest": bytes.fromhex(row["digest"]), "status": "whatever"}
        for name, row in items.items()
    ]
    fence = {"fence": Fence.at("cluster", "topic", ends).to_json()}
    runs.write(path, {"items": rows}, from_dict(spec), fence | source, dead)
    return open_run(path)


def run_of(path: Path, spec: dict[str, Any], records: Sequence[Record], ends: dict[int, int]) -> Run:
    """What the oracle says of these records, as a run that claims to stand at `ends`."""
    return run_saying(path, spec, expect(spec, records), ends)


def run_saying(path: Path, spec: dict[str, Any], expected: Expected, ends: dict[int, int]) -> Run:
    return write_run(path, spec, items_of(expected), ends, Counter(expected.dead.values()))


def wanted(a: Expected, b: Expected) -> dict[str, tuple[str, dict[str, tuple[Any, Any]]]]:
    """id -> kind and differing fields, of the ids whose rows in a (the lake's) and b (the run's) differ."""
    found = {}
    for name in a.items.keys() | b.items.keys():
        left, right = a.items.get(name), b.items.get(name)
        fields = {
            field: (left and left[field], right and right[field])
            for field in FIELDS
            if (left and left[field]) != (right and right[field])
        }
        if fields:
            found[name] = ("missing" if right is None else "extra" if left is None else "wrong", fields)
    return found


def said(coverage: Coverage) -> dict[str, tuple[str, dict[str, tuple[Any, Any]]]]:
    return {
        uncovered.id: (uncovered.kind, {field.name: (field.a, field.b) for field in uncovered.fields})
        for uncovered in coverage.uncovered
    }


def check(coverage: Coverage, a: Expected, b: Expected, records: int) -> None:
    """Everything that a coverage says: a is what the lake's records give, b what the run holds."""
    differences = wanted(a, b)
    assert said(coverage) == differences
    assert [uncovered.id for uncovered in coverage.uncovered] == sorted(differences)
    kinds = Counter(kind for kind, _ in differences.values())
    assert Counter(missing=coverage.missing, extra=coverage.extra, wrong=coverage.wrong) == kinds
    for uncovered in coverage.uncovered:
        row = a.items.get(uncovered.id) or b.items[uncovered.id]
        assert uncovered.at == (row["partition"], row["offset"])
    left, right = Counter(a.dead.values()), Counter(b.dead.values())
    assert coverage.dead_letters == tuple(
        FieldDifference(reason, left[reason], right[reason])
        for reason in sorted(left | right)
        if left[reason] != right[reason]
    )
    assert coverage.records == records
    assert coverage.events == records - len(a.dead)
    assert coverage.ids == len(a.items)
    assert coverage.whole == (not differences and left == right)


def hold(history: History, ends: dict[int, int], lost: Sequence[Record]) -> tuple[Coverage, Coverage]:
    """Coverages of a run of all records before `ends`, and of one that did not see those in `lost`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = make_lake(folder / "lake", history.records)
        seen = below(history.records, ends)
        less = [record for record in seen if record not in lost]
        expected, lesser = expect(history.spec, seen), expect(history.spec, less)
        a = run_saying(folder / "a", history.spec, expected, ends)
        b = run_saying(folder / "b", history.spec, lesser, ends)
        whole, partial = cover([a, b], lake)
        assert whole.whole
        check(whole, expected, expected, len(seen))
        check(partial, expected, lesser, len(seen))
        assert (whole.lake, whole.run, partial.run) == (str(lake), str(a.path), str(b.path))
        return whole, partial


# --- Against the oracle


@settings(max_examples=25)
@given(histories(), st.data())
def test_any_history_less_any_record_up_to_any_fence(history: History, data: st.DataObject) -> None:
    full = ends_of(history.records)
    ends = {partition: data.draw(st.integers(0, end)) for partition, end in full.items()}
    if data.draw(st.booleans()):
        ends = full
    seen = below(history.records, ends)
    lost = [data.draw(st.sampled_from(seen))] if seen else []
    hold(history, ends, lost)


def test_seeded_histories_of_every_kind() -> None:
    kinds: Counter[str] = Counter()
    for seed in (*range(18), 129, 147, 148, 166):  # the last with much that is too old
        history = random_history(seed)
        full = ends_of(history.records)
        ends = {p: end * 2 // 3 for p, end in full.items()} if seed % 3 == 2 else full
        seen = below(history.records, ends)
        _, partial = hold(history, ends, seen[seed % 7 :: 7])
        kinds += Counter(missing=partial.missing, extra=partial.extra, wrong=partial.wrong)
        kinds += Counter(dead=len(partial.dead_letters), whole=int(partial.whole))
        kinds["retention"] += "retention_ms" in history.spec["times"]
    assert min(kinds[kind] for kind in ("missing", "extra", "wrong", "retention")) >= 8, kinds
    assert kinds["dead"] >= 3 and kinds["whole"] >= 3, kinds


def test_hundreds_of_ids_in_all_shards(tmp_path: Path) -> None:
    history = union(packed_histories(4, 40)[1])
    ends = ends_of(history.records)
    _, partial = hold(history, ends, history.records[::40])
    assert partial.ids > 256 and partial.missing and partial.wrong
    assert partial.records > 500  # several files a partition


# --- By hand


LOG = log(
    (1, event("a", 10, "one")),
    (2, event("b", 20, "two")),
    (3, event("a", 30, None)),
    (4, b"nothing"),
    (5, event("c", 40, "three")),
    (6, event("b", 50, "two again")),
)
SPEC = make_spec()


def covered(tmp_path: Path, records: Sequence[Record] = LOG, at: int = len(LOG), **more: Any) -> Coverage:
    """Of a run that saw these records, and stands at an offset of LOG."""
    lake = make_lake(tmp_path / "lake", LOG)
    (coverage,) = cover([run_of(tmp_path / "run", SPEC, records, {0: at})], lake, **more)
    return coverage


def test_a_tombstone_that_the_run_missed(tmp_path: Path) -> None:
    (uncovered,) = covered(tmp_path, [*LOG[:2], *LOG[3:]]).uncovered
    assert (uncovered.id, uncovered.kind, uncovered.at) == ("a", "wrong", (0, 2))
    assert uncovered.fields[0] == FieldDifference("op", "delete", "upsert")
    assert uncovered.fields[-1].a == "00" * 32


def test_a_deleted_id_whose_tombstone_is_lost_is_missing(tmp_path: Path) -> None:
    coverage = covered(tmp_path, [LOG[1], *LOG[3:]])
    assert [(u.id, u.kind, [f.b for f in u.fields]) for u in coverage.uncovered] == [
        ("a", "missing", [None] * 5)
    ]


def test_what_lies_at_or_past_the_fence_is_extra_or_wrong(tmp_path: Path) -> None:
    coverage = covered(tmp_path, LOG, at=4)  # 4 records, and c is the fifth
    assert [(u.id, u.kind, u.at) for u in coverage.uncovered] == [
        ("b", "wrong", (0, 1)),
        ("c", "extra", (0, 4)),
    ]
    assert (coverage.records, coverage.events, coverage.ids) == (4, 3, 2)
    assert coverage.dead_letters == ()


def test_an_event_before_the_watermark_s_horizon_is_extra_and_one_in_it_missing(tmp_path: Path) -> None:
    spec = make_spec(max_skew_ms=0, retention_ms=10)
    records = log((100, event("old", 89, "x")), (101, event("young", 90, "y")), (102, event("z", 100, "z")))
    lake = make_lake(tmp_path / "lake", records)
    ends = {0: 3}
    loose = expect(make_spec(max_skew_ms=0), records).items  # as if nothing were ever too old
    a = write_run(tmp_path / "a", spec, {"old": loose["old"], "z": loose["z"]}, ends)
    b = write_run(tmp_path / "b", spec, {"young": loose["young"], "z": loose["z"]}, ends)
    # before z came, old counted
    c = write_run(tmp_path / "c", spec, {"old": loose["old"], "young": loose["young"]}, {0: 2})
    found = cover([a, b, c], lake)
    assert [{u.id: u.kind for u in coverage.uncovered} for coverage in found] == [
        {"old": "extra", "young": "missing"},
        {},
        {},
    ]


def test_dead_letters_are_counted_by_reason(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    items = items_of(expect(SPEC, LOG))
    run = write_run(tmp_path / "run", SPEC, items, {0: 6}, {"id_invalid": 2})
    (coverage,) = cover([run], lake)
    assert coverage.dead_letters == (
        FieldDifference("id_invalid", 0, 2),
        FieldDifference("not_json", 1, 0),
    )
    assert not coverage.whole and not coverage.uncovered


def test_two_runs_that_miss_the_same_event_are_both_not_whole(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    a, b = (run_of(tmp_path / name, SPEC, LOG[:4] + LOG[5:], {0: 6}) for name in "ab")
    assert a.digests("items") == b.digests("items")
    assert [[u.id for u in coverage.uncovered] for coverage in cover([a, b], lake)] == [["c"], ["c"]]


def test_runs_at_different_fences_each_by_its_own_and_in_their_order(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    fences = (6, 2, 6, 0)
    every = [run_of(tmp_path / f"{place}", SPEC, LOG[:at], {0: at}) for place, at in enumerate(fences)]
    assert [(c.records, c.whole, c.run) for c in cover(every, lake)] == [
        (at, True, str(run.path)) for run, at in zip(every, fences, strict=True)
    ]


def test_a_partition_that_the_fence_does_not_name_is_out(tmp_path: Path) -> None:
    other = [(1, 0, 9, event("elsewhere", 60, "x")), (1, 1, 9, event("a", 60, "x"))]
    lake = make_lake(tmp_path / "lake", [*LOG, *other])
    (coverage,) = cover([run_of(tmp_path / "run", SPEC, LOG, {0: 6})], lake)
    assert coverage.whole and coverage.records == 6


def test_a_status_is_not_the_lake_s_to_say_and_neither_is_a_place(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    items = {name: row | {"partition": 5, "offset": 77} for name, row in items_of(expect(SPEC, LOG)).items()}
    run = write_run(tmp_path / "run", SPEC, items, {0: 6}, {"not_json": 1})  # its statuses are "whatever"
    assert cover([run], lake)[0].whole


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_counts(tmp_path: Path, name: str) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    items = items_of(expect(SPEC, LOG))
    right = items["b"][name]
    items["b"][name] = {"op": "delete", "digest": "ab" * 32}.get(name, 7)
    (coverage,) = cover([write_run(tmp_path / "run", SPEC, items, {0: 6})], lake)
    assert said(coverage) == {"b": ("wrong", {name: (right, items["b"][name])})}


def test_an_id_with_two_rows_is_wrong_though_both_are_right(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    rows = [
        row | {"id": name, "digest": bytes.fromhex(row["digest"])}
        for name, row in expect(SPEC, LOG).items.items()
    ]
    source = {"fence": Fence.at("cluster", "topic", {0: 6}).to_json()}
    runs.write(tmp_path / "run", {"items": [*rows, rows[1]]}, from_dict(SPEC), source)
    (coverage,) = cover([open_run(tmp_path / "run")], lake)
    assert (coverage.missing, coverage.extra, coverage.wrong) == (0, 0, 1)
    (uncovered,) = coverage.uncovered
    assert [(f.name, f.a, f.b) for f in uncovered.fields] == [("rows", 1, 2)]


def test_the_first_ids_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    names = [f"{number:03d}" for number in range(400)]
    records = log(*((1, event(name, 5, "x")) for name in reversed(names)))
    lake = make_lake(tmp_path / "lake", records)
    (coverage,) = cover([write_run(tmp_path / "run", SPEC, {}, {0: 400})], lake, listed=7)
    assert coverage.missing == coverage.ids == 400
    assert [uncovered.id for uncovered in coverage.uncovered] == names[:7]


def test_progress_goes_up_to_all_records(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    covered(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 6), (6, 6)]


def test_an_empty_lake_and_an_empty_run(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", [])
    empty = write_run(tmp_path / "a", SPEC, {}, {})
    full = write_run(tmp_path / "b", SPEC, items_of(expect(SPEC, LOG)), {})
    a, b = cover([empty, full], lake)
    assert a.whole and (a.records, a.ids) == (0, 0)
    assert b.extra == 3 and not (b.missing or b.wrong or b.dead_letters) and not b.whole


def test_offsets_may_be_absent_in_a_file_and_between_files(tmp_path: Path) -> None:
    """Markers and compaction: in the file; before the first file and between two, where no record was."""
    records = [(0, offset, 1, event(f"id {offset}", 5, "x")) for offset in (13, 15, 16, 40, 42)]
    lake = tmp_path / "lake"
    spans = ((10, 20), (40, 43))
    parts = [[record for record in records if base <= record[1] < end] for base, end in spans]
    files = [
        write_lake_file(lake, 0, *span, record_table(part)) for span, part in zip(spans, parts, strict=True)
    ]
    write_lake(lake, Lake("items", Fence.at("cluster", "topic", {0: 50}), tuple(files)))
    for at, gaps in ((50, 37), (43, 30), (41, 30), (30, 20), (16, 10), (5, 5)):
        seen = below(records, {0: at})
        (coverage,) = cover([run_of(tmp_path / str(at), SPEC, seen, {0: at})], lake)
        assert coverage.whole and (coverage.records, coverage.gaps) == (len(seen), gaps)


# --- Memory


@pytest.mark.parametrize("ids", [2, 90])
def test_payloads_are_not_kept_and_parts_stay_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: int
) -> None:
    """Whether there are many ids, and so many groups, or many events of one id."""
    records = log(*((1, event(f"id {i % ids}", i, "long " * 5_000)) for i in range(300)))  # 25 KB each
    lake = make_lake(tmp_path / "lake", records)
    resolved: list[pa.Table] = []
    sharded: list[int] = []
    resolve, shards = versions.resolve, digests.shards

    def watched_resolve(events: pa.Table, *arguments: Any) -> versions.Resolved:
        resolved.append(events)
        return resolve(events, *arguments)

    def watched_shards(names: pa.ChunkedArray) -> Any:
        sharded.append(len(names))
        return shards(names)

    monkeypatch.setattr(lake_winners, "EVENTS_AT_ONCE", 10)
    monkeypatch.setattr(versions, "resolve", watched_resolve)
    monkeypatch.setattr(digests, "shards", watched_shards)
    (coverage,) = cover([write_run(tmp_path / "run", SPEC, {}, {0: 300})], lake)
    assert coverage.ids == coverage.missing == ids
    assert max(sharded) <= 12 and sum(sharded) >= 300  # 10, and what of a batch of 3 is over
    # What was kept, a version an id, and the next parts of a group: 10, and what of a part is over.
    assert max(events.num_rows for events in resolved) <= 25
    assert max(events.nbytes for events in resolved) < 10_000


def test_the_temporary_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    inside: list[int] = []
    coverage = covered(tmp_path, progress=lambda done, total: inside.append(len(list(scratch.iterdir()))))
    assert coverage.whole and set(inside) == {1} and not list(scratch.iterdir())


# --- The lake that the manifests name


def named(folder: Path, *lakes: Any) -> list[Run]:
    found = []
    for number, lake in enumerate(lakes):
        source = {} if lake is None else {"lake": str(lake)}
        found.append(write_run(folder / f"named-{number}", SPEC, {}, {0: 6}, **source))
    return found


def test_the_lake_that_all_name_who_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    monkeypatch.chdir(tmp_path)
    assert lake_of(named(tmp_path / "1", lake, None)) == lake
    assert lake_of(named(tmp_path / "2", None, lake, "lake")) == lake
    assert lake_of(named(tmp_path / "3", None, None)) is None
    (tmp_path / "other").mkdir()
    assert lake_of(named(tmp_path / "4", lake, "other")) is None
    assert lake_of(named(tmp_path / "5", tmp_path / "gone")) is None
    assert lake_of(named(tmp_path / "6", lake / "lake.json")) is None
