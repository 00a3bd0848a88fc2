"""`explain --bundle`, `replay` and `aa`, as a user calls them: real Spark, real RocksDB."""

import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from parity.forge import edit_rows
from shared.run import open_run
from stream.rehearsal import rehearse
from tests.acceptance.commands import crossfade, succeed
from tests.batch.running import as_toml, make_lake
from tests.engines import spec_of
from tests.histories import random_history

pytestmark = pytest.mark.spark


def test_a_damaged_run_is_told_from_the_code(spark: SparkSession, tmp_path: Path) -> None:
    history = random_history(53)
    lake = make_lake(tmp_path / "lake", history.records)
    rehearse(spec_of(history.spec), lake, tmp_path / "state", tmp_path / "a", 1)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    edit_rows(tmp_path / "b", "edges", lambda rows: rows[0].update(numerator=rows[0]["numerator"] + 1))
    later = next(
        row["later"]
        for row, other in zip(*(sorted_edges(tmp_path / name) for name in "ab"), strict=True)
        if row != other
    )
    at = ["--at", tmp_path / "a", "--at", tmp_path / "b"]
    explained = crossfade("explain", later, *at, "--bundle", tmp_path / "bundle")
    assert explained.exit_code == 1 and "They part at match" in explained.stdout
    answer = crossfade("replay", tmp_path / "bundle", "--json")
    replayed = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert replayed["parity"] is True and replayed["parted"] == [[later, "match"]]
    assert f"what was recorded at {tmp_path / 'b'} is not that" in replayed["says"]

    spec = tmp_path / "spec.toml"
    spec.write_text(as_toml(history.spec))
    same = ["--spec", spec, "--lake", lake, "--engine", "stream", "--json"]
    floor = json.loads(succeed("aa", *same).stdout)
    assert floor["noise"] == 0 and [one["kind"] for one in floor["compared"]] == ["A/A"]


def sorted_edges(run: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = open_run(run).read("edges").to_pylist()
    return sorted(rows, key=lambda row: (row["later"], row["earlier"]))
