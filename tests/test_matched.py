"""Lines between matched points, held against how the pictures were made: cropped here, flipped there."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut

from parity.clusters import cluster_sizes, members_of
from parity.matched import COLOURS, LINES, UNITS, spread
from parity.page import write_cluster_page
from parity.page_clusters import PAIRS
from shared.run import open_run
from shared.spec import Spec, load
from tests import runs
from tests.runs import head, item
from tests.test_page import EVIL, Elements

Lines = npt.NDArray[np.float64]
SIDE = 512
CROP = (100, 60, 500, 360)  # left, top, right, bottom


@pytest.fixture(scope="module")
def photograph() -> npt.NDArray[np.uint8]:
    return np.asarray(astronaut())


def page_of(pictures: dict[str, npt.NDArray[np.uint8]], folder: Path, spec: Spec) -> Elements:
    """The page of a run where the first of the pictures is the head of all, by words."""
    folder.mkdir()
    images = {name: folder / f"{place}.png" for place, name in enumerate(pictures)}
    for name, path in images.items():
        Image.fromarray(pictures[name]).save(path)
    records = words_of(spec).extract(list(pictures.values())).records.to_pylist()
    first, *others = pictures
    rows: runs.Rows = {name: [] for name in runs.sample()}
    rows["items"] = [item(name) for name in pictures]
    rows["verification"] = [
        {"id": name, "channel": "words", "record": record}
        for name, record in zip(pictures, records, strict=True)
    ]
    rows["clusters"] = [head(first), *(words_member(name, first, 30) for name in others)]
    write_cluster_page(open_run(runs.write(folder / "run", rows, spec)), folder / "page.html", images)
    return Elements((folder / "page.html").read_text("utf-8"))


def words_of(spec: Spec):  # type: ignore[no-untyped-def]
    return next(channel.extractor for channel in spec.channels if channel.name == "words")


def words_member(name: str, of: str, points: int) -> dict[str, object]:
    return {"id": name, "head": of, "channel": "words", "numerator": points, "denominator": 1}


def pdq_member(name: str, of: str, distance: int) -> dict[str, object]:
    return {"id": name, "head": of, "channel": "pdq", "numerator": 256 - distance, "denominator": 256}


def lines_of(page: Elements) -> Lines:
    """x, y at the left and x, y at the right of the lines of the page's one pair."""
    paths = [path["d"] or "" for path in page.all("path") if (path["class"] or "").startswith("line")]
    assert len(paths) == COLOURS
    found = re.findall(r"M(-?\d+) (-?\d+)L(-?\d+) (-?\d+)", "".join(paths))
    return np.array(found, np.float64)


def places(page: Elements) -> list[tuple[float, float]]:
    """Where the two pictures of the one pair stand."""
    used = page.all("use")
    assert len(used) == 2
    ids = {image["id"] for image in page.all("image")}
    assert {f"#{name}" for name in ids} >= {use["href"] for use in used}
    return [(float(use["x"] or ""), float(use["y"] or "")) for use in used]


def test_lines_lead_to_where_the_crop_was_taken(photograph: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    left, top, right, bottom = CROP
    pictures = {"whole": photograph, "cropped": photograph[top:bottom, left:right]}
    page = page_of(pictures, tmp_path / "run", load("photos-small"))
    lines = lines_of(page) - np.ravel(places(page))
    assert len(lines) == LINES
    in_whole, in_crop = lines[:, :2] * SIDE / UNITS, lines[:, 2:] * (right - left) / UNITS
    assert np.quantile(np.abs(in_whole - in_crop - (left, top)), 0.9) < 4  # pixels
    assert np.ptp(in_whole, axis=0).min() > 200  # from everywhere in the crop


@pytest.mark.parametrize("first", ["whole", "cropped"])  # whichever record is the lesser
def test_lines_of_a_mirror_image_cross(first: str, photograph: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    left, top, right, bottom = CROP
    spec = load("photos-small")
    mirrored = replace(spec.channels[1], extractor=replace(words_of(spec), mirror=True))
    both = {"whole": photograph, "cropped": photograph[top:bottom, left:right][:, ::-1]}
    pictures = {first: both.pop(first), **both}
    page = page_of(pictures, tmp_path / "run", replace(spec, channels=(spec.channels[0], mirrored)))
    lines = lines_of(page) - np.ravel(places(page))
    whole, crop = (lines[:, :2], lines[:, 2:]) if first == "whole" else (lines[:, 2:], lines[:, :2])
    in_whole, in_crop = whole * SIDE / UNITS, crop * (right - left) / UNITS
    assert np.quantile(np.abs(in_whole[:, 0] + in_crop[:, 0] - right), 0.9) < 4
    assert np.quantile(np.abs(in_whole[:, 1] - in_crop[:, 1] - top), 0.9) < 4


def test_points_are_chosen_from_everywhere() -> None:
    rng = np.random.default_rng(1)
    crowd, corners = rng.uniform(100, 110, (500, 2)), np.array([[0, 0], [300, 0], [0, 300], [300, 300]])
    points = np.hstack([np.vstack([crowd, corners]), np.zeros((504, 2))])
    few = spread(points, 8)
    assert len(few) == 8 and {tuple(row) for row in few} <= {tuple(row) for row in points}
    assert {tuple(row[:2]) for row in few} >= {tuple(corner) for corner in corners.tolist()}
    assert (np.diff(few[:, 1]) >= 0).all()
    assert len(spread(points, 1000)) == len(np.unique(spread(points, 1000), axis=0)) == 504
    assert len(spread(points[:0], 8)) == 0


def test_names_and_limits(photograph: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    spec, small = load("photos-small"), photograph[::2, ::2]
    page = page_of({"whole": small} | {f"{EVIL}{i}": small[i:] for i in range(9)}, tmp_path / "run", spec)
    pairs = [figure for figure in page.all("figure") if figure["class"] == "pair"]
    assert len(pairs) == PAIRS and len(page.all("image")) == 10 and len(page.all("use")) == 2 * PAIRS
    labels = [svg["aria-label"] or "" for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(labels) == PAIRS and all(label.startswith("whole and ") for label in labels)
    assert all("of them drawn" in label for label in labels)
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert all((image["href"] or "").startswith("data:image/jpeg;base64,") for image in page.all("image"))


def two_channels(folder: Path) -> Path:
    """a with two by pdq and one by words; d with two by words."""
    rows: runs.Rows = {name: [] for name in runs.sample()}
    rows["items"] = [item(name) for name in "abcxdef"]
    rows["clusters"] = [
        head("a"),
        pdq_member("b", "a", 3),
        pdq_member("c", "a", 1),
        words_member("x", "a", 50),
    ]
    rows["clusters"] += [head("d"), words_member("e", "d", 30), words_member("f", "d", 40)]
    return runs.write(folder / "run", rows, load("photos-small"))


def test_what_later_channels_found_comes_first(tmp_path: Path) -> None:
    run = open_run(two_channels(tmp_path))
    assert cluster_sizes(run, 2)[1] == [("a", 4), ("d", 3)]
    assert cluster_sizes(run, 2, by_later_channels=True)[1] == [("d", 3), ("a", 4)]
    assert cluster_sizes(run, 1, by_later_channels=True)[1] == [("d", 3)]
    write_cluster_page(run, tmp_path / "page.html", {}, first=["a"])
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.index("<h2>a</h2>") < page.index("<h2>d</h2>")


def test_a_stronger_channel_comes_first_and_says_what_it_counts(tmp_path: Path) -> None:
    run = open_run(two_channels(tmp_path))
    assert [member.id for member in members_of(run, ["a"])["a"]] == ["a", "c", "b", "x"]
    write_cluster_page(run, tmp_path / "page.html", {})
    page = Elements((tmp_path / "page.html").read_text("utf-8"))
    assert "pdq 3 of 256 bits differ" in page.text and "words 50 matched points" in page.text
    assert not page.all("use")  # without pictures there is nothing to draw on
