"""Pictures are cut into tasks that keep all cores busy; how they are cut changes nothing."""

import hashlib
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from batch import winners
from batch.job import Job, Settings
from shared.run import open_run
from shared.source_events import event_value
from shared.spec import load, to_dict
from tests.acceptance.commands import succeed
from tests.batch.running import all_digests, make_lake, run_backfill
from tests.histories import Record
from tests.images import encode, scene

pytestmark = pytest.mark.spark


def pictures(folder: Path, count: int) -> list[Record]:
    records: list[Record] = []
    for number in range(count):
        file, data = folder / f"{number}.png", encode(scene(number // 2, 48, 40))
        file.write_bytes(data)
        payload = {"uri": str(file), "sha256": hashlib.sha256(data).hexdigest()}
        records.append((0, number, 1, event_value(f"{number}", "upsert", number, payload)))
    return records


def test_pictures_are_many_tasks(spark: SparkSession, tmp_path: Path) -> None:
    photos = to_dict(load("photos-small"))
    lake = make_lake(tmp_path / "lake", pictures(tmp_path, 300))
    done = succeed("backfill", "--spec", "photos-small", "--input", lake, "--output", tmp_path / "run")
    assert done.stderr == ""  # progress is for terminals
    run = open_run(tmp_path / "run")
    assert len(list((run.path / "items").glob("part-*"))) == 300 // 128
    assert run.manifest["counts"]["statuses"] == {"ok": 300}
    one = run_backfill(spark, photos, lake, tmp_path / "one", Settings(partitions=1))
    assert len(list((one.path / "items").glob("part-*"))) == 1
    assert all_digests(one) == all_digests(run)


@pytest.mark.parametrize(
    ("rows", "texts", "pictures"),
    [(0, 1, 1), (100, 1, 1), (300, 1, 2), (11_850, 2, 32), (10**6, 20, 32), (10**9, 4096, 4096)],
)
def test_partitions_by_the_cost_of_a_row(
    spark: SparkSession, tmp_path: Path, rows: int, texts: int, pictures: int
) -> None:
    """On two cores."""
    job = Job(spark, load("text"), tmp_path, None)
    assert job.partitions(rows, winners.ROWS_EACH) == texts
    many = (winners.IMAGES_WORTH_A_TASK, winners.IMAGE_TASKS_A_CORE)
    assert job.partitions(rows, winners.ROWS_EACH, *many) == pictures
