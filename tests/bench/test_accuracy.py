"""The whole benchmark of accuracy, small, on photographs made by code."""

import json
import shutil
from pathlib import Path

import pytest

from bench.accuracy.__main__ import ROOT, main
from bench.report import WIDTH
from stream.kafka_jars import java_command, kafka_jars
from tests.bench.photographs import write_photographs


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.spark
def test_the_benchmark_from_photographs_to_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its commands start Kafka and Spark of their own."""
    java_command()
    kafka_jars()
    write_photographs(tmp_path / "photographs", 80, 160, 120)
    page, numbers = tmp_path / "accuracy.md", tmp_path / "numbers.json"
    shutil.copy(ROOT / "docs" / "accuracy.md", page)
    given = ["--photos", str(tmp_path / "photographs"), "--small", "--spec", "photos-small"]
    wanted = [*given, "--output", str(tmp_path / "out"), "--json", str(numbers), "--write", str(page)]
    assert main(wanted) == 0
    output = capfd.readouterr().out
    assert max(map(len, output[output.index("Recall and precision") :].splitlines())) <= WIDTH
    tables = json.loads(numbers.read_bytes())["tables"]
    methods = tables["methods"]["numbers"]
    assert {(score["positives"], score["queries"]) for score in methods.values()} == {(870, 1740)}
    stream, alone = (methods[f"photos-small, {how}"] for how in ("stream of all", "query alone"))
    assert stream["found"] >= alone["found"] > 435 and stream["false"] < 87
    assert tables["engines"]["numbers"]["photos-small"]["verdict"] == "parity"
    assert len(tables["attacks"]["rows"]) == 58
    assert "This collection has no list of look-alikes." in output

    plots = {
        name: (tmp_path / name).read_bytes() for name in ("accuracy-attacks.svg", "accuracy-settings.svg")
    }
    written = page.read_text()
    assert "| photos-small, stream of all |" in written and f"({next(iter(plots))})" in written
    for path in (page, *(tmp_path / name for name in plots)):
        path.unlink()
    shutil.copy(ROOT / "docs" / "accuracy.md", page)
    assert main([*wanted, "--score-only"]) == 0
    assert {name: (tmp_path / name).read_bytes() for name in plots} == plots
    assert "--score-only" not in page.read_text()

    other = (ROOT / "shared" / "presets" / "photos-small.toml").read_text().replace("seed = 1", "seed = 2")
    (tmp_path / "other.toml").write_text(other)
    given[-1] = str(tmp_path / "other.toml")
    assert main([*given, "--output", str(tmp_path / "out"), "--score-only"]) == 2
    assert "run the engines again (without --score-only)" in capfd.readouterr().err


def test_what_cannot_be_measured_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--photos", str(tmp_path / "nowhere")]) == 2
    assert "nowhere is not there; name a folder of photographs with --photos DIR" in capsys.readouterr().err
    assert main(["--photos", str(tmp_path), "--spec", "photos-tiny"]) == 2
    assert "'photos-tiny' is neither a preset" in capsys.readouterr().err
    assert main(["--photos", str(tmp_path), "--small"]) == 2
    assert "has 0 photographs" in capsys.readouterr().err
