from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from parity.clusters import cluster_sizes, members_of
from shared.fence import Fence
from shared.lake import Lake, write_lake, write_lake_file
from shared.records import RECORD_SCHEMA
from shared.run import open_run
from tests import runs
from tests.runs import item, sample


def inspect(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["inspect", str(folder), *options])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = sample()
    rows["items"].append(item("h\x1b[31m", status="image_invalid"))
    return runs.write(tmp_path / "run", rows, dead_letters={"not_json": 3})


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    records = pa.Table.from_pylist(
        [{"partition": 1, "offset": 4, "append_time": 5, "value": b"x"}], RECORD_SCHEMA
    )
    folder = tmp_path / "lake"
    file = write_lake_file(folder, 1, 0, 5, records)
    write_lake(folder, Lake("items", Fence.at("c", "t", {0: 0, 1: 5}), (file,)))
    return folder


def test_a_run(run: Path) -> None:
    found = orjson.loads(inspect(run, "--json").output)
    assert found["kind"] == "run" and found["contract_id"] == open_run(run).contract_id
    assert found["statuses"] == {"deleted": 1, "image_invalid": 1, "ok": 6}
    assert found["stages"]["edges"]["rows"] == 4 and found["stages"]["edges"]["files"] == 1
    assert found["clusters"] == 3 and found["cluster_sizes"] == {"1": 1, "2-3": 2}
    assert found["largest_clusters"] == [{"head": "a", "size": 3}, {"head": "d", "size": 2}]
    assert found["similarity_of_edges"] == [
        {"channel": "words", "from": "0.80", "edges": 3},
        {"channel": "words", "from": "0.90", "edges": 1},
    ]
    assert found["counts"] == {"dead_letters": {"not_json": 3}}
    assert found["stands_at"] == runs.FENCE.describe()


def test_a_run_on_the_terminal(run: Path) -> None:
    shown = inspect(run)
    assert shown.exit_code == 0
    for text in ("image_invalid", "Counts: dead letters", "Largest clusters", "2-3"):
        assert text in shown.output
    assert "\x1b" not in shown.output
    assert max(map(len, shown.output.splitlines())) <= 100


def test_a_lake(lake: Path) -> None:
    found = orjson.loads(inspect(lake, "--json").output)
    assert (found["kind"], found["topic"], found["files"], found["rows"]) == ("lake", "items", 1, 1)
    assert found["stands_at"] == "topic t of cluster c at 0:0, 1:5"
    assert [(p["partition"], p["rows"]) for p in found["partitions"]] == [(1, 1)]
    assert "Partitions" in inspect(lake).output


def test_a_lake_without_one_of_its_files(lake: Path) -> None:
    next(lake.rglob("*.parquet")).unlink()
    shown = inspect(lake)
    assert (
        shown.exit_code == 2 and "is missing; the lake names it, so archive the topic again" in shown.output
    )


def test_a_damaged_run(run: Path) -> None:
    (run / "clusters" / "part-0.parquet").unlink()
    shown = inspect(run)
    assert shown.exit_code == 2 and "clusters/part-0.parquet is missing" in shown.output


@pytest.mark.parametrize("options", [(), ("--verify",)])
def test_a_run_that_lost_a_file(run: Path, options: tuple[str, ...]) -> None:
    next((run / "edges").glob("*.parquet")).unlink()
    shown = CliRunner().invoke(main, ["inspect", str(run), *options])
    assert shown.exit_code == 2 and "is missing" in shown.stderr


def test_what_is_neither(tmp_path: Path) -> None:
    shown = inspect(tmp_path)
    assert shown.exit_code == 2 and shown.output.startswith("crossfade: ") and shown.output.count("\n") == 1
    shown = inspect(tmp_path / "nowhere")
    assert shown.exit_code == 2 and "there is no folder" in shown.output


def test_clusters_by_size(tmp_path: Path) -> None:
    run = open_run(runs.write(tmp_path / "run", sample()))
    assert cluster_sizes(run, 1) == ({1: 1, 2: 1, 3: 1}, [("a", 3)])
    assert [member.id for member in members_of(run, ["a"])["a"]] == [
        "a",
        "c",
        "b",
    ]  # the head, then the strongest
    empty: runs.Rows = {name: [] for name in sample()}
    assert cluster_sizes(open_run(runs.write(tmp_path / "empty", empty)), 5) == ({}, [])
