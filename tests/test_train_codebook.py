"""`train-codebook`: the same pictures give the same bytes, what is left out is shown, the check can tell."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.main import main
from shared import codebook, codebook_check, codebook_training
from shared.codebook_training import Training, _mapping, choose
from shared.errors import CrossfadeError
from shared.extractors import sift
from shared.extractors.words import VisualWords
from shared.sources import picture_names
from tests.images import encode, uniform

ROOT = Path(__file__).parent.parent
PICTURES = 20
QUICK = ("--rounds", 2, "--workers", 1)


def busy(seed: int) -> npt.NDArray[np.uint8]:
    """uint8[240, 320, 3] with some hundred local features."""
    rng = np.random.default_rng(seed)
    pixels = np.full((240, 320, 3), 128, np.uint8)
    for _ in range(150):
        (top, left), (height, width) = rng.integers(0, (230, 310)), rng.integers(6, 50, 2)
        pixels[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return pixels


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PICTURES pictures at two depths."""
    root = tmp_path_factory.mktemp("busy")
    (root / "deep/er").mkdir(parents=True)
    for seed in range(PICTURES):
        name = f"deep/er/{seed}.png" if seed % 2 else f"{seed}.jpg"
        (root / name).write_bytes(encode(busy(seed), "PNG" if seed % 2 else "JPEG"))
    return root


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train-codebook", *map(str, arguments)])


def summary(*arguments: object) -> dict[str, Any]:
    done = train(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


@pytest.fixture(scope="session")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A codebook of the folder, and the summary."""
    output = tmp_path_factory.mktemp("made") / "mine.npy"
    return output, summary(folder, "--output", output, *QUICK)


def test_same_files_same_bytes(
    made: tuple[Path, dict[str, Any]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, first), other, listed = made, tmp_path / "other.npy", tmp_path / "listed.npy"
    elsewhere = tmp_path / "copy"
    shutil.copytree(folder, elsewhere)
    second = summary(elsewhere, "--output", other, "--rounds", 2, "--workers", 2)
    assert one.read_bytes() == other.read_bytes()
    assert first | {"output": ""} == second | {"output": ""}

    def backwards(root: Path) -> tuple[list[str], int]:
        names, skipped = picture_names(root)
        return names[::-1], skipped

    monkeypatch.setattr(codebook_training, "picture_names", backwards)
    summary(folder, "--output", listed, *QUICK)
    assert one.read_bytes() == listed.read_bytes()


def test_a_spec_takes_what_it_writes(made: tuple[Path, dict[str, Any]]) -> None:
    output, found = made
    extractor = VisualWords(codebook=str(output))
    assert extractor.contents["codebook"] == found["digest"] != VisualWords().contents["codebook"]


@pytest.mark.parametrize("limit", [500_000, 1660])
def test_what_is_trained_on(folder: Path, tmp_path: Path, limit: int) -> None:
    """As the codebook that ships was made: every feature, in the order of the names; or some, evenly."""
    descriptors = []
    for name in sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")):
        picture = np.asarray(Image.open(folder / name).convert("RGB"))
        own = sift.detect(picture, Training.side, Training.count).descriptors
        most = min(len(own), limit // PICTURES)
        descriptors.append(np.stack([own[i * len(own) // most] for i in range(most)]))
    together = np.concatenate(descriptors)
    options = ("--no-check", "--seed", 7, "--limit-features", limit)
    found = summary(folder, "--output", tmp_path / "all.npy", *options, *QUICK)
    assert found["digest"] == codebook.train(descriptors, seed=7, rounds=2).digest
    assert (found["features"], found["pictures"], found["check"]) == (len(together), PICTURES, None)
    assert (len(together) == limit) == (limit == 1660)


def test_a_tenth_is_held_out_by_its_name() -> None:
    names = [f"{i}.jpg" for i in range(995)]
    trained, held_out = choose(names, Training())
    assert len(held_out) == 99 and sorted(trained + held_out) == sorted(names)
    assert choose(names[::-1], Training()) == (trained, held_out)
    assert max(map(int, (name.split(".")[0] for name in held_out))) > 900
    many = [f"{i}.jpg" for i in range(5000)]
    assert len(choose(many, Training())[1]) == 200
    assert choose(many, Training(check=False)) == (sorted(many), [])
    assert len(choose(many, Training(features=50_000))[0]) == 1000


def test_what_is_left_out_is_counted_and_named(folder: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    (mixed / "notes.txt").write_text("no picture")
    (mixed / "broken.jpg").write_bytes((mixed / "0.jpg").read_bytes()[:900])
    (mixed / "grey.png").write_bytes(encode(uniform()))
    (mixed / "small.png").write_bytes(encode(busy(1)[:40]))
    (mixed / "gone.png").symlink_to(mixed / "nowhere.png")
    arguments = (mixed, "--output", tmp_path / "mine.npy", "--no-check", *QUICK)
    assert summary(*arguments)["left_out"] == {
        "broken.jpg": "image_invalid",
        "gone.png": "unreadable",
        "grey.png": "no_features",
        "small.png": "no_features",
    }
    shown = train(*arguments, "--force").stdout
    assert f"from {PICTURES} of {PICTURES + 4} pictures" in shown
    assert "2 pictures left out, no_features: grey.png, small.png" in shown
    assert "1 picture left out, image_invalid: broken.jpg" in shown
    assert "1 file left out: no pictures by their suffix" in shown


def test_the_check_tells_variants_from_others(made: tuple[Path, dict[str, Any]]) -> None:
    check = made[1]["check"]
    assert check["pictures"] == 2
    for name in ("new", "shipped"):
        score = check[name]
        assert score["variants"]["pairs"] == 6 and score["others"]["pairs"] == 1
        assert score["variants"]["inliers"] > 20 and score["variants"]["matched"] == 1
        assert score["others"]["inliers"] < 10 and score["others"]["matched"] == 0
        assert score["variants"]["words"] > 5 * score["others"]["words"]
        assert 0 < score["held_out_error"] < 0.7
    assert check["new"]["trained_error"] < check["new"]["held_out_error"]


def test_a_worse_codebook_is_called_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = train(folder, "--output", tmp_path / "good.npy", *QUICK)
    centroids = np.random.default_rng(0).integers(0, 256, codebook.SHAPE, dtype=np.uint8)
    noise = codebook.make(centroids, np.empty(0, np.int64))
    monkeypatch.setattr(codebook, "train", lambda *arguments: noise)
    bad = train(folder, "--output", tmp_path / "bad.npy", *QUICK)
    assert (good.exit_code, bad.exit_code) == (0, 0)
    assert "warning" not in good.stderr
    assert bad.stderr.startswith("warning: on these pictures photos-1 is the better codebook")
    assert codebook.load(str(tmp_path / "bad.npy")).digest == noise.digest


def test_variants_are_what_they_say() -> None:
    half, compressed, turned = codebook_check.variants(busy(1))
    assert half.shape == (120, 160, 3) and compressed.shape == (240, 320, 3)
    assert turned.shape[0] > 240 and turned.shape[1] > 320
    assert (compressed != busy(1)).any()


def test_a_file_is_not_overwritten_unasked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(b"precious")
    refused = train(folder, "--output", tmp_path / "mine.npy", *QUICK)
    assert refused.exit_code == 2 and "exists already" in refused.stderr and "--force" in refused.stderr
    assert (tmp_path / "mine.npy").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        ("nowhere", (), "nowhere is no folder"),
        ("empty", (), "empty holds no picture"),
        ("two", (), "too few for 1024 centroids; add pictures"),
        ("two", ("--side", 10), "side is 10; it must be from 64 to 480"),
        ("two", ("--output", "no/where.npy"), "make that folder"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence(
    source: str, options: tuple[object, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("two").mkdir()
    for seed in range(2):
        Path(f"two/{seed}.png").write_bytes(encode(busy(seed)))
    done = train(source, "--output", "mine.npy", *QUICK, *options)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not Path("mine.npy").exists()


def die(name: str) -> None:
    os._exit(1)


def test_a_process_that_is_killed_ends_it_with_a_sentence() -> None:
    with pytest.raises(CrossfadeError, match=r"was killed.*fewer --workers"), _mapping(2) as run:
        list(run(die, ["a", "b"]))


def test_ctrl_c_is_one_sentence_and_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.npy"
    command = [sys.executable, "-m", "cli.main", "train-codebook", str(folder), "--output", str(output)]
    started = subprocess.Popen(
        [*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    deadline = time.monotonic() + 60
    while len(workers := children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)  # two workers and Python's tracker
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130 and not output.exists()
    assert said.strip().startswith("crossfade: interrupted") and len(said.strip().splitlines()) == 1, said
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(runs, workers))


def runs(process: str) -> bool:
    """Not ended, and no zombie."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
