"""A bundle reproduces what was said of its ids from a few records."""

import json
from pathlib import Path

import pytest

from parity.bundle import FILE, read_bundle, recorded_of, write_bundle
from parity.explain.given import drawn_given, entries_given
from parity.explain.runs import RunSide
from shared.errors import SourceError
from shared.events import parse
from shared.lake import file_tables, read_lake
from shared.run import Run
from stream.rehearsal import rehearse
from tests.batch.running import make_lake
from tests.engines import spec_of
from tests.histories import History, random_history

EXACT = ("event", "features", "signature", "bucket", "match", "cluster")


def run_of(history: History, folder: Path) -> tuple[Run, Path]:
    lake = make_lake(folder / "lake", history.records)
    return rehearse(spec_of(history.spec), lake, folder / "state", folder / "run", 1), lake


@pytest.mark.parametrize("seed", [7, 10, 23, 53])
def test_the_stream_says_the_same_on_the_bundle(seed: int, tmp_path: Path) -> None:
    history = random_history(seed)
    run, lake = run_of(history, tmp_path)
    ids = [row["id"] for row in run.read("clusters").to_pylist() if row["id"] != row["head"]][:3]
    assert ids
    for number, item in enumerate(sorted(ids)):
        folder = tmp_path / f"bundle-{number}"
        written = write_bundle(folder, [item], [RunSide(run)], lake)
        bundle = read_bundle(folder)
        assert bundle == written and bundle.whole and 2 <= bundle.records <= len(history.records)
        again = rehearse(bundle.spec, folder / "lake", folder / "state", folder / "run", 2)
        now = recorded_of(RunSide(again), bundle.ids)
        before = bundle.recorded[str(run.path)]
        for stage in EXACT:
            assert json.dumps(now[item][stage]) == json.dumps(before[item][stage]), stage


def test_it_is_small(tmp_path: Path) -> None:
    """Of items that have nothing to do with each other only the one asked for."""
    values = [
        json.dumps(
            {"id": f"i{n}", "op": "upsert", "event_time": n, "payload": {"text": f"a{n} b{n} c{n} d{n}"}}
        )
        for n in range(40)
    ]
    history = History(random_history(7).spec, tuple((0, n, n, v.encode()) for n, v in enumerate(values)))
    run, lake = run_of(history, tmp_path)
    bundle = write_bundle(tmp_path / "bundle", ["i20"], [RunSide(run)], lake)
    assert bundle.records < 10


@pytest.fixture
def run(tmp_path: Path) -> tuple[Run, Path]:
    return run_of(random_history(7), tmp_path)


def test_refusals(run: tuple[Run, Path], tmp_path: Path) -> None:
    side, lake = RunSide(run[0]), run[1]
    ids = sorted(row["id"] for row in run[0].read("items").to_pylist())[:1]
    with pytest.raises(SourceError, match="is no lake; a bundle takes its events from one"):
        write_bundle(tmp_path / "b", ids, [side], tmp_path)
    other = make_lake(tmp_path / "other", random_history(7).records)
    manifest = json.loads((other / "lake.json").read_text())
    manifest["fence"]["topic"] = "another"
    (other / "lake.json").write_text(json.dumps(manifest))
    with pytest.raises(SourceError, match="is a lake of another log"):
        write_bundle(tmp_path / "b", ids, [side], other)
    write_bundle(tmp_path / "b", ids, [side], lake)
    with pytest.raises(SourceError, match="b is not empty; name a new folder"):
        write_bundle(tmp_path / "b", ids, [side], lake)
    with pytest.raises(SourceError, match=r"is no bundle: it has no bundle.json"):
        read_bundle(tmp_path / "nothing")
    file = tmp_path / "b" / FILE
    whole = json.loads(file.read_text())
    for change, sentence in (
        ({"format": 9}, "is not of format 1"),
        ({"contract_id": "0" * 32}, "has contract 000"),
        ({"ids": []}, "names no ids"),
        ({"recorded": {}}, "nothing that was recorded"),
    ):
        file.write_text(json.dumps(whole | change))
        with pytest.raises(SourceError, match=sentence):
            read_bundle(tmp_path / "b")
    file.write_text("{")
    with pytest.raises(SourceError, match="cannot be read"):
        read_bundle(tmp_path / "b")


def test_a_lake_that_ends_before_the_record(run: tuple[Run, Path], tmp_path: Path) -> None:
    """It would say that it has read up to the sides' fence, and replay that nobody sent the event."""
    history = random_history(7)
    last = max(run[0].read("items").to_pylist(), key=lambda row: (row["partition"], row["offset"]))
    place = (last["partition"], last["offset"])
    before = [record for record in history.records if record[0] != place[0] or record[1] < place[1]]
    with pytest.raises(SourceError, match=r"ends before the record of .* archive the topic on"):
        write_bundle(tmp_path / "b", [last["id"]], [RunSide(run[0])], make_lake(tmp_path / "short", before))


def test_of_too_many_ids_the_nearest_are_kept(
    run: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their names: the id itself first, then whom it draws."""
    side, lake = RunSide(run[0]), run[1]
    drawn = {row["id"]: row["pairs"] for row in run[0].read("candidates").to_pylist()}
    item = max(drawn, key=lambda name: (drawn[name], name))
    monkeypatch.setattr("parity.bundle.MOST_IDS", 1 + drawn[item])
    bundle = write_bundle(tmp_path / "b", [item], [side], lake)
    events = side.events([item])
    near = drawn_given(side, events, entries_given(run[0].spec, events, side.pieces([item])))[item]
    names = set()
    for entry in read_lake(tmp_path / "b" / "lake").files:  # type: ignore[union-attr]
        for table in file_tables(tmp_path / "b" / "lake", entry):
            names |= set(parse(table).events.column("id").to_pylist())
    assert not bundle.whole and names == {item, *near}
