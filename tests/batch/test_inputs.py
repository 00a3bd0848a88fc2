"""What a backfill reads besides a lake, what it finds in real texts, and what it says of wrong input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from batch.backfill import backfill
from batch.inputs import open_input
from batch.job import Settings
from batch.tasks import Counts
from cli.backfill import show
from cli.main import main
from shared.errors import SourceError
from shared.lake import read_lake
from shared.run import STAGES, Run, open_run
from shared.source_events import ColumnOptions
from shared.spec import from_dict, load
from tests.batch.running import all_digests, make_lake, read_run, run_backfill
from tests.histories import packed_histories, union
from tests.images import VARIANTS, encode, scene

pytestmark = pytest.mark.spark

ARTICLES = Path("/work/shared/data/text_mccormick_articles/data")
SHINGLES = {"unit": "word", "size": 3, "normalise": "NFKC", "casefold": True}


def text_spec(threshold: str = "0.5", **times: int) -> dict[str, Any]:
    """64 bands of 2 rows: a pair at 0.5 is found with probability 1 - 1e-8."""
    return {
        "name": "texts",
        "times": times,
        "channels": [
            {
                "name": "words",
                "extractor": "text.shingles",
                "parameters": SHINGLES,
                "minhash": {"permutations": 128},
                "bands": {"count": 64, "rows": 2},
                "draws": {"first": 4, "near": 4},
                "match": {"rule": "jaccard", "threshold": threshold},
            }
        ],
    }


def backfill_files(
    spark: SparkSession, spec: dict[str, Any], output: Path, *paths: Path, **columns: Any
) -> Run:
    source = open_input(paths, ColumnOptions(**columns))
    return backfill(lambda: spark, from_dict(spec), source, output)


def test_articles(spark: SparkSession, tmp_path: Path) -> None:
    if not ARTICLES.exists():
        pytest.skip(f"the articles are not at {ARTICLES}")
    lines = (ARTICLES / "articles_2500.train").read_text().splitlines()
    rows = [dict(zip(("id", "text"), line.split(" ", 1), strict=True)) for line in lines]
    source = tmp_path / "articles.parquet"
    pq.write_table(pa.Table.from_pylist(rows), source)
    run = backfill_files(spark, text_spec(), tmp_path / "run", source, text="text", fixed_event_time=1)
    truth = {frozenset(line.split()) for line in (ARTICLES / "articles_2500.truth").read_text().splitlines()}
    assert len(truth) == 20
    assert {frozenset(pair) for pair in read_run(run).edges} == truth
    assert run.rows("items") == 2500


def test_another_event_is_another_event_set(spark: SparkSession, tmp_path: Path) -> None:
    found: list[str] = []
    for event_time in (1, 1, 2):
        lines = tmp_path / f"{len(found)}.jsonl"
        lines.write_text(json.dumps({"id": "a", "op": "delete", "event_time": event_time}) + "\n")
        source, output = open_input([lines], ColumnOptions()), tmp_path / f"run {len(found)}"
        with pytest.raises(Stop):
            backfill(lambda: spark, from_dict(text_spec()), source, output, None, stop_after_winners)
        found.append(json.loads((output / "_work" / "winners.json").read_bytes())["counts"]["event_set"])
    assert found[0] == found[1] != found[2]


class Stop(Exception):
    pass


def stop_after_winners(stage: str, counts: Counts, seconds: float) -> None:
    if stage == "winners":
        raise Stop


def test_files_of_any_kind_and_order_are_one_event_set(spark: SparkSession, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"doc {i}", "event_time": 5 - i, "text": f"some words that {'all' if i % 2 else 'both'} share"}
        for i in range(6)
    ]
    events = [
        {"id": row["id"], "op": "upsert", "event_time": row["event_time"], "payload": {"text": row["text"]}}
        for row in rows
    ]
    lines = tmp_path / "events.jsonl"
    lines.write_text("".join(json.dumps(event) + "\n" for event in events) + "broken\n")
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, part in (("a", rows[3:]), ("b", rows[:4]), ("c", [])):  # row 3 twice
        schema = pa.schema([("id", pa.string()), ("event_time", pa.int64()), ("text", pa.string())])
        pq.write_table(pa.Table.from_pylist(part, schema), folder / f"{name}.parquet")
    jsonl = backfill_files(spark, text_spec(), tmp_path / "jsonl", lines)
    parquet = backfill_files(spark, text_spec(), tmp_path / "parquet", folder, text="text")
    assert jsonl.fence is None
    assert jsonl.event_set is not None
    assert jsonl.event_set == parquet.event_set
    assert all_digests(jsonl) == all_digests(parquet)
    found = read_run(jsonl)
    assert found.dead == {(0, 6): "not_json"}
    assert {
        item: (row["partition"], row["offset"], row["append_time"]) for item, row in found.items.items()
    } == {f"doc {i}": (0, i, -1) for i in range(6)}
    assert {head for head, *_ in found.clusters.values()} == {"doc 5", "doc 4"}
    assert jsonl.manifest["counts"]["dead_letters"] == {"not_json": 1}
    assert (jsonl.manifest["counts"]["records"], parquet.manifest["counts"]["records"]) == (7, 7)


def test_pictures(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}-original.png").write_bytes(encode(scene(seed)))
        for name, change in VARIANTS.items():
            (folder / f"{seed}-{name}.png").write_bytes(encode(change(scene(seed))))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    source = open_input([folder], ColumnOptions(fixed_event_time=7))
    run = backfill(lambda: spark, load("photos-small"), source, tmp_path / "run")
    found = read_run(run)
    assert found.items["broken.jpg"]["status"] == "image_invalid"
    assert run.manifest["counts"]["statuses"] == {"ok": 3 * (1 + len(VARIANTS)), "image_invalid": 1}
    heads: dict[str, set[str]] = {}
    for item, (head, *_) in found.clusters.items():
        heads.setdefault(item[0], set()).add(head)
    assert [len(of_seed) for of_seed in heads.values()] == [1, 1, 1]
    assert "broken.jpg" not in found.clusters


def test_what_is_wrong_is_said_in_a_sentence(spark: SparkSession, tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_text('{"id": "a", "op": "delete", "event_time": 1}\n')
    with pytest.raises(SourceError, match="without an append time"):
        backfill_files(spark, text_spec(max_skew_ms=1), tmp_path / "run", lines)
    with pytest.raises(SourceError, match="no-such-file does not exist"):
        open_input([tmp_path / "no-such-file"], ColumnOptions())
    history = union(packed_histories(9, 2)[1])
    lake = make_lake(tmp_path / "lake", history.records)
    with pytest.raises(SourceError, match="one lake, or files"):
        open_input([lines, lake], ColumnOptions())
    with pytest.raises(SourceError, match="leave the column options out"):
        open_input([lake], ColumnOptions(text="text"))
    named = read_lake(lake)
    assert named is not None
    victim = lake / named.files[0].path
    good = victim.read_bytes()
    victim.write_bytes(b"x" * len(good))
    with pytest.raises(SourceError, match=f"{victim.name}, which the lake names, cannot be read"):
        run_backfill(spark, history.spec, lake, tmp_path / "damaged")
    victim.write_bytes(good[:4] + b"x" * (len(good) // 2) + good[len(good) // 2 + 4 :])  # its footer is whole
    with pytest.raises(SourceError, match=f"{victim.name}, which the lake names, cannot be read"):
        run_backfill(spark, history.spec, lake, tmp_path / "rotten")
    victim.unlink()
    with pytest.raises(SourceError, match="which the lake names, is not there; archive the topic again"):
        open_input([lake], ColumnOptions())


def test_nothing_in_nothing_out(spark: SparkSession, tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_text("no event\n")
    lake = make_lake(tmp_path / "lake", [])
    for path, decider in ((lines, "driver"), (lake, "joins")):
        source = open_input([path], ColumnOptions())
        output = tmp_path / decider
        run = backfill(lambda: spark, from_dict(text_spec()), source, output, Settings(decider=decider))
        assert {name: run.rows(name) for name in run.manifest["stages"]} == dict.fromkeys(STAGES, 0)
        assert read_run(run).dead == ({(0, 0): "not_json"} if path == lines else {})


def test_command(spark: SparkSession, tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", union(packed_histories(9, 2)[1]).records)
    arguments = ["backfill", "--spec", "text", "--input", str(lake), "--output", str(tmp_path / "run")]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["counts"] == open_run(tmp_path / "run").manifest["counts"]
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert again.stderr.startswith(f"crossfade: {tmp_path / 'run'} is a finished run")


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"records": 1_234, "rounds": 2, "decider": "driver", "left_out": 3, "hot_buckets": []}
    counts |= {"statuses": {"ok": 7}, "dead_letters": {"not_json": 5}}
    show({"counts": counts, "seconds": {"events": 1.25}, "contract_id": "abc"}, Path("runs/a"), 2.0)
    out = capsys.readouterr().out
    rows = {tuple(re.split("  +", line.strip())) for line in out.splitlines()}
    assert {("records", "1,234"), ("left out", "3"), ("status ok", "7")} <= rows
    assert {("dead letters, not_json", "5"), ("events", "1.2")} <= rows
    assert "runs/a: 1,234 records in 2.0 s (617 a second)" in out


def test_interrupt_is_130_and_no_java_is_2(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake", union(packed_histories(9, 2)[1]).records)
    output = tmp_path / "run"
    command = [sys.executable, "-m", "cli.main", "backfill", "--spec", "text", "--input", str(lake)]
    command += ["--output", str(output), "--master", "local[1]"]
    no_java = os.environ | {"PATH": "/nowhere", "JAVA_HOME": ""}
    refused = subprocess.run(command, env=no_java, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("crossfade: Spark needs Java, and there is no java on the PATH")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (output / "_work" / "events").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stderr.splitlines()[-1].startswith("crossfade: interrupted; what was finished is kept")
