"""A killed backfill goes on after its last complete stage, and nothing else may use its folder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from batch.backfill import STAGES
from batch.job import WORK, Settings
from batch.tasks import Counts
from shared.errors import ContractError, CrossfadeError, SourceError
from tests.batch.running import all_digests, as_toml, make_lake, run_backfill
from tests.histories import History, packed_histories, union

pytestmark = pytest.mark.spark

NAMES = [stage.name for stage in STAGES]


@pytest.fixture(scope="module")
def history() -> History:
    return union(packed_histories(9, 20)[1])


@pytest.fixture(scope="module")
def lake(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lake(tmp_path_factory.mktemp("resume") / "lake", history.records)


class Killed(Exception):
    pass


def test_a_kill_after_any_stage_loses_nothing(
    spark: SparkSession, history: History, lake: Path, tmp_path: Path
) -> None:
    """Killed after every stage in turn: each is done exactly once, and the run is the same."""
    whole = run_backfill(spark, history.spec, lake, tmp_path / "whole", Settings(2))
    done: list[str] = []

    def kill(stage: str, counts: Counts, seconds: float) -> None:
        done.append(stage)
        raise Killed

    for _ in NAMES:
        with pytest.raises(Killed):
            run_backfill(spark, history.spec, lake, tmp_path / "killed", Settings(2), kill)
    assert done == NAMES
    resumed = run_backfill(spark, history.spec, lake, tmp_path / "killed", Settings(2), kill)
    assert done == NAMES
    assert all_digests(resumed) == all_digests(whole)
    assert resumed.manifest["counts"] == whole.manifest["counts"]
    assert not (tmp_path / "killed" / WORK).exists()


def test_sigkill_in_the_middle(spark: SparkSession, history: History, lake: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(as_toml(history.spec))
    output = tmp_path / "run"
    arguments = ["backfill", "--spec", str(spec), "--input", str(lake), "--output", str(output)]
    command = [sys.executable, "-m", "cli.main", *arguments, "--master", "local[1]"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    try:
        while not (output / WORK / "ranks.json").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        with pytest.raises(CrossfadeError, match="another process uses the run"):
            run_backfill(spark, history.spec, lake, output)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done: list[str] = []
    resumed = run_backfill(spark, history.spec, lake, output, None, lambda stage, *_: done.append(stage))
    assert done == NAMES[-len(done) :]
    assert 0 < len(done) <= len(NAMES) - len(["events", "winners", "ranks"])
    whole = run_backfill(spark, history.spec, lake, tmp_path / "whole")
    assert all_digests(resumed) == all_digests(whole)


def test_what_may_not_use_the_folder(
    spark: SparkSession, history: History, lake: Path, tmp_path: Path
) -> None:
    def kill(stage: str, counts: Counts, seconds: float) -> None:
        raise Killed

    output = tmp_path / "run"
    with pytest.raises(Killed):
        run_backfill(spark, history.spec, lake, output, None, kill)
    other = json.loads(json.dumps(history.spec))
    other["channels"][0]["match"]["threshold"] = "0.123"
    with pytest.raises(
        ContractError, match=r"unfinished backfill with contract [0-9a-f]{32}, and this spec has"
    ):
        run_backfill(spark, other, lake, output)
    grown = tmp_path / "grown"
    records = (*history.records, (0, 10**6, 1, b"{}"))
    with pytest.raises(SourceError, match="unfinished backfill of another input"):
        run_backfill(spark, history.spec, make_lake(grown, records), output)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    (strangers / "letter.txt").write_text("mine")
    with pytest.raises(SourceError, match="is no backfill's"):
        run_backfill(spark, history.spec, lake, strangers)
    assert [file.name for file in strangers.iterdir()] == ["letter.txt"]
