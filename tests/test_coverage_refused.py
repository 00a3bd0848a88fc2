"""Lakes and runs that nothing is told of: damaged, of another log, or short of the fence."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from parity.coverage import cover
from shared.errors import CrossfadeError, SourceError
from shared.fence import Fence
from shared.lake import LakeFile, read_lake, write_lake, write_lake_file
from shared.run import open_run
from shared.spec import from_dict
from tests import runs
from tests.batch.running import make_lake
from tests.engines import record_table
from tests.hand_made import event, log, make_spec
from tests.test_coverage import LOG, SPEC, run_of, small_parts, write_run

__all__ = ["small_parts"]  # a fixture here, too


def refused(tmp_path: Path, *parts: str, ends: dict[int, int] | None = None, **source: Any) -> None:
    """Covering fails with one sentence that has all these parts."""
    run = write_run(tmp_path / "run", SPEC, {}, ends or {0: 6}, **source)
    with pytest.raises(SourceError) as error:
        cover([run], tmp_path / "lake")
    for part in parts:
        assert part in str(error.value), str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_lake(tmp_path: Path) -> None:
    refused(tmp_path, str(tmp_path / "lake"), "is no lake", "crossfade archive")
    (tmp_path / "lake").mkdir()
    run = open_run(tmp_path / "run")
    with pytest.raises(SourceError, match="is no lake"):
        cover([run], tmp_path / "lake")


@pytest.mark.parametrize(("cluster", "topic"), [("other", "topic"), ("cluster", "other")])
def test_a_lake_of_another_log(tmp_path: Path, cluster: str, topic: str) -> None:
    make_lake(tmp_path / "lake", LOG)
    fence = Fence.at(cluster, topic, {0: 6}).to_json()
    refused(tmp_path, "another log", "cluster other" if cluster == "other" else "topic other", fence=fence)


@pytest.mark.parametrize("ends", [{0: 7}, {0: 6, 1: 1}])
def test_a_lake_that_ends_before_the_fence(tmp_path: Path, ends: dict[int, int]) -> None:
    make_lake(tmp_path / "lake", LOG)
    place = "partition 0 ends at 6 and not at 7" if ends[0] == 7 else "partition 1 ends at 0 and not at 1"
    refused(tmp_path, place, "archive the topic first", ends=ends)


def test_a_run_made_from_files(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake", LOG)
    run = open_run(runs.write(tmp_path / "run", {}, from_dict(SPEC), {"event_set": "1:2"}))
    with pytest.raises(SourceError, match="run was made from files"):
        cover([run], tmp_path / "lake")


@contextmanager
def changed(lake: Path, **values: Any) -> Iterator[LakeFile]:
    """The only file of a lake, with other values in lake.json and its size put right after changes."""
    found = read_lake(lake)
    assert found is not None
    (file,) = found.files
    yield file
    size = (lake / file.path).stat().st_size
    write_lake(lake, replace(found, files=(replace(file, **{"bytes": size, **values}),)))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.ParquetFile(path).read()
    pq.write_table(change(table), path)


def test_a_file_that_is_gone_cut_or_not_of_its_size(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    (file,) = (lake / "partition=0").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    refused(tmp_path, str(file), f"has {len(whole) - 5} bytes and not {len(whole)}", "archive")
    file.unlink()
    with pytest.raises(SourceError, match="is not there"):
        cover([open_run(tmp_path / "run")], lake)
    file.write_bytes(b"x" * len(whole))
    with pytest.raises(SourceError, match="cannot be read"):
        cover([open_run(tmp_path / "run")], lake)


def test_damage_inside_a_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    (file,) = (lake / "partition=0").iterdir()
    whole = bytearray(file.read_bytes())
    whole[4:200] = bytes(196)  # pages; the footer is at the end
    file.write_bytes(whole)
    refused(tmp_path, str(file), "cannot be read")


def test_files_past_the_fence_need_not_be_there(tmp_path: Path) -> None:
    records = log(*((1, event(f"id {i}", 5, "x")) for i in range(250)))
    lake = make_lake(tmp_path / "lake", records)
    *_, last = sorted((lake / "partition=0").iterdir())
    last.unlink()
    (coverage,) = cover([run_of(tmp_path / "run", SPEC, records[:200], {0: 200})], lake)
    assert coverage.whole
    with pytest.raises(SourceError, match="is not there"):
        cover([run_of(tmp_path / "more", SPEC, records[:201], {0: 201})], lake)


def test_a_lake_that_lost_records_inside_a_file(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    with changed(lake) as file:
        rewrite(lake / file.path, lambda table: table.slice(0, 4))
    refused(tmp_path, "has 4 records", "6")


def test_a_file_without_the_columns_of_records(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    with changed(lake) as file:
        rewrite(lake / file.path, lambda table: table.drop_columns(["value"]))
    refused(tmp_path, file.path, "cannot be read")


@pytest.mark.parametrize("span", [{"base": 1}, {"end": 5}])
def test_an_offset_outside_its_file_s_span(tmp_path: Path, span: dict[str, int]) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    with changed(lake, **span) as file:
        pass
    refused(tmp_path, file.path, f"holds offset {0 if 'base' in span else 5}, but by lake.json")


@pytest.mark.parametrize("order", [[0, 1, 2, 2, 4, 5], [0, 1, 2, 2, 3, 4], [1, 0, 2, 3, 4, 5]])
def test_an_offset_twice_or_out_of_order(tmp_path: Path, order: list[int]) -> None:
    """The second at the seam of two batches."""
    lake = make_lake(tmp_path / "lake", LOG)
    with changed(lake) as file:
        rewrite(lake / file.path, lambda table: table.take(pa.array(order)))
    refused(tmp_path, file.path, "twice, or after a later one")


def test_records_of_another_partition(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)

    def move(table: pa.Table) -> pa.Table:
        moved = pc.add(table.column("partition"), pa.scalar(1, pa.int32()))
        return table.set_column(0, table.schema.field("partition"), moved)

    with changed(lake) as file:
        rewrite(lake / file.path, move)
    refused(tmp_path, file.path, "another partition than 0")


def test_files_that_overlap(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    again = write_lake_file(lake, 0, 5, 6, record_table(LOG[5:]))
    found = read_lake(lake)
    assert found is not None
    write_lake(lake, replace(found, files=(again, *found.files)))
    refused(tmp_path, "lake.json", "hold the same offsets", again.path)


def test_records_without_append_times_where_the_spec_needs_them(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", [(0, 0, -1, event("a", 1, "x"))])
    run = write_run(tmp_path / "run", make_spec(max_skew_ms=1), {}, {0: 1})
    with pytest.raises(SourceError, match="append time"):
        cover([run], lake)


def test_a_run_whose_items_are_not_its_manifest_s(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", LOG)
    run = run_of(tmp_path / "run", SPEC, LOG, {0: 6})
    other = run_of(tmp_path / "other", SPEC, LOG[:5], {0: 6})
    (other.path / "items" / "part-0.parquet").replace(run.path / "items" / "part-0.parquet")
    with pytest.raises(SourceError, match="does not have the digests"):
        cover([run], lake)


def test_no_room_for_the_events(tmp_path: Path) -> None:
    records = log(*((1, event(f"id {i}", 5, f"{i}")) for i in range(500)))
    lake = make_lake(tmp_path / "lake", records)
    run = write_run(tmp_path / "run", SPEC, {}, {0: 500})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(CrossfadeError, match="let TMPDIR name a folder with more room"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (800, hard))  # SIGXFSZ is ignored by Python: EFBIG
        try:
            cover([run], lake)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
