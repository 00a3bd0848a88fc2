"""A bundle reproduces what was said of its ids from a few records."""

import json
from pathlib import Path

import pytest

from parity.bundle import FILE, read_bundle, recorded_of, write_bundle
from parity.explain.runs import RunSide
from shared.errors import SourceError
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
    ):
        file.write_text(json.dumps(whole | change))
        with pytest.raises(SourceError, match=sentence):
            read_bundle(tmp_path / "b")
    file.write_text("{")
    with pytest.raises(SourceError, match="cannot be read"):
        read_bundle(tmp_path / "b")
