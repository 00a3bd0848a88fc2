"""The demo's table: pairs by channel, and what was found of each kind of variant."""

from pathlib import Path

import pytest

from cli.demo_found import Found, edges_by_channel, found_by_variant
from shared.run import Run, open_run
from shared.spec import load
from tests import runs
from tests.runs import edge, head, item, member


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """x with all found; y whose crop is alone; z without its original, which was deleted."""
    rows: runs.Rows = {name: [] for name in runs.sample()}
    names = {f"{folder}/{kind}.jpg" for folder in "xyz" for kind in ("original", "blur", "crop")}
    rows["items"] = [item(name) for name in sorted(names - {"z/original.jpg"})]
    rows["items"].append(item("z/original.jpg", op="delete", status="deleted"))
    rows["edges"] = [
        edge("x/original.jpg", "x/blur.jpg") | {"channel": "pdq"},
        edge("x/crop.jpg", "x/original.jpg"),  # a crop may be the earlier
        edge("x/blur.jpg", "x/crop.jpg"),
        edge("y/original.jpg", "y/blur.jpg"),
        edge("x/original.jpg", "y/blur.jpg"),  # false, and no edge of y's own
        edge("z/blur.jpg", "z/crop.jpg"),
    ]
    rows["clusters"] = [head("x/crop.jpg"), member("x/original.jpg", "x/crop.jpg")]
    rows["clusters"] += [member("x/blur.jpg", "x/crop.jpg"), head("y/original.jpg")]
    rows["clusters"] += [member("y/blur.jpg", "y/original.jpg"), head("y/crop.jpg")]
    rows["clusters"] += [head("z/blur.jpg"), member("z/crop.jpg", "z/blur.jpg")]
    return open_run(runs.write(tmp_path / "run", rows, load("photos-small")))


def test_edges_by_channel(run: Run) -> None:
    assert edges_by_channel(run) == {"pdq": 1, "words": 5}


def test_found_by_variant(run: Run) -> None:
    found = found_by_variant(run)
    assert found["blur"] == Found(pictures=2, together=2, edges={"pdq": 1, "words": 1})
    assert found["crop"] == Found(pictures=2, together=1, edges={"pdq": 0, "words": 1})
    assert found["turned"] == Found(pictures=0, together=0, edges={"pdq": 0, "words": 0})
