from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from shared import contract
from shared.durable import write_bytes
from shared.errors import SourceError
from shared.fence import Fence
from shared.run import EDGES, ITEMS, MANIFEST, STAGES, open_run, read_back, require_columns
from shared.spec import load
from tests import runs
from tests.runs import sample


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    run = open_run(runs.write(tmp_path / "run", sample(), dead_letters={"not_json": 2}))
    assert run.contract_id == contract.contract_id(load("text"))
    assert (run.fence, run.event_set) == (runs.FENCE, None)
    assert run.manifest["counts"] == {"dead_letters": {"not_json": 2}}
    for name, stage in STAGES.items():
        table = run.read(name)
        assert table.schema.equals(stage.schema)
        rows = table.drop_columns(["shard"]).to_pylist()
        key = sorted(rows[0])
        assert sorted(rows, key=str) == sorted(
            ({k: row[k] for k in rows[0]} for row in sample()[name]), key=str
        ), key
        assert run.rows(name) == len(rows)


def test_digests_in_the_manifest_are_of_the_rows_on_disk(tmp_path: Path) -> None:
    run = open_run(runs.write(tmp_path / "run", sample()))
    for name, stage in STAGES.items():
        assert run.digests(name) == read_back(run.path, stage).to_json()
        assert sum(int(entry.split(":")[0]) for entry in run.digests(name).values()) == run.rows(name)


def test_shards_can_be_read_alone_and_columns_too(tmp_path: Path) -> None:
    run = open_run(runs.write(tmp_path / "run", sample()))
    shards = [int(shard, 16) for shard in run.digests("items")]
    parts = [run.read("items", [shard], ["id", "shard"]) for shard in shards]
    assert sorted(name for part in parts for name in part.column("id").to_pylist()) == list("abcdefg")
    for shard, part in zip(shards, parts, strict=True):
        assert set(part.column("shard").to_pylist()) == {shard}
    assert run.read("items", []).num_rows == 0
    assert sum(batch.num_rows for batch in run.batches("items", ["id"])) == 7


@pytest.mark.parametrize("files", [0, 1])
def test_a_stage_without_rows_reads_as_none_with_a_file_or_without(tmp_path: Path, files: int) -> None:
    rows = {name: [] for name in STAGES} | {"items": sample()["items"]}  # type: ignore[var-annotated]
    run = open_run(runs.write(tmp_path / "run", rows))
    assert len(run.manifest["stages"]["edges"]["files"]) == 1
    del run.manifest["stages"]["edges"]["files"][files:]
    assert run.read("edges").schema.equals(EDGES.schema) and run.read("edges").num_rows == 0
    assert run.read("edges", [3]).num_rows == 0 and run.digests("edges") == {}
    assert sum(batch.num_rows for batch in run.batches("edges")) == 0
    assert read_back(run.path, EDGES).to_json() == {}


def test_a_run_of_several_files(tmp_path: Path) -> None:
    import shutil

    from shared.run import stage_entry

    run = runs.write(tmp_path / "run", sample())
    (run / "items" / "deeper").mkdir()
    shutil.copy(run / "items" / "part-0.parquet", run / "items" / "deeper" / "part-1.parquet")
    entry = stage_entry(run, ITEMS, read_back(run, ITEMS))
    assert entry["rows"] == 14
    assert [file["path"] for file in entry["files"]] == [
        "items/deeper/part-1.parquet",
        "items/part-0.parquet",
    ]
    assert all(file["rows"] == 7 and len(file["sha256"]) == 64 for file in entry["files"])


def test_a_run_of_files_has_an_event_set_and_no_fence(tmp_path: Path) -> None:
    run = open_run(runs.write(tmp_path / "run", sample(), source={"event_set": "7:ab"}))
    assert (run.fence, run.event_set) == (None, "7:ab")


def test_an_empty_fence_is_a_fence(tmp_path: Path) -> None:
    fence = Fence.at("c", "t", {})
    run = open_run(runs.write(tmp_path / "run", sample(), source={"fence": fence.to_json()}))
    assert run.fence == fence


def test_the_contract_is_in_every_file(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run = open_run(runs.write(tmp_path / "run", sample()))
    for file in run.path.rglob("*.parquet"):
        assert pq.read_schema(file).metadata[b"crossfade.contract_id"].decode() == run.contract_id


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is not a finished run: it has no manifest\.json"):
        open_run(tmp_path)
    with pytest.raises(SourceError, match="is not a finished run"):
        open_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "cannot be read"),
        (b"[]", "has run format none; this version of crossfade reads format 2"),
        (b"{}", "has run format none"),
        (b'{"format": 3}', "has run format 3; this version of crossfade reads format 2"),
        (b'{"format": 2}', r"manifest\.json: engine is missing; write the run again"),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (None, "stages.items is null and must be an object"),
        (
            {"rows": "7", "digests": {}, "files": []},
            "stages.items.rows is '7' and must be a whole number, 0 or more",
        ),
        (
            {"rows": 7, "digests": {}, "files": [{"path": "x"}]},
            r"stages\.items\.files\[0\]\.bytes is missing",
        ),
        ({"rows": 7, "digests": {}, "files": [3]}, r"stages\.items\.files\[0\] is 3 and must be an object"),
    ],
)
def test_a_manifest_with_a_damaged_stage(tmp_path: Path, stage: object, sentence: str) -> None:
    run = runs.write(tmp_path / "run", sample())
    manifest = orjson.loads((run / MANIFEST).read_bytes())
    manifest["stages"]["items"] = stage
    (run / MANIFEST).write_bytes(orjson.dumps(manifest))
    with pytest.raises(SourceError, match=sentence):
        open_run(run)


def test_files_are_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_bytes(file, b"old")
    write_bytes(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_columns_are_not_null(tmp_path: Path) -> None:
    for stage in STAGES.values():
        assert not any(field.nullable for field in stage.schema)
        assert stage.schema.field("shard").type == pa.int32()


def test_a_file_with_a_column_twice(tmp_path: Path) -> None:
    schema = pa.schema([*ITEMS.schema, pa.field("id", pa.string())])
    with pytest.raises(SourceError, match=r"items\.parquet has a column twice"):
        require_columns(tmp_path / "items.parquet", ITEMS, schema)
