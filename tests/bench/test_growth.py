"""The benchmark of a long stream: its plan, and the whole of it on a few pictures."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from bench.growth import Shown, found, run, stream
from shared.run import open_run
from tests import runs
from tests.runs import edge, head, member


def test_a_photograph_comes_before_what_is_made_of_it_and_all_are_there() -> None:
    names = [f"{n}.jpg" for n in range(7)]
    for count in (3, 7, 8, 60, 7 * 59):
        shown = stream(names, count)
        assert len(set(shown)) == len(shown) == count
        assert shown == stream(names, count)
        counts = [sum(each.photograph == name for each in shown) for name in names]
        assert max(counts) - min(counts) <= 1
        for name in names[:count]:
            assert next(each.attack for each in shown if each.photograph == name) == ""
    assert Shown("a/b.jpg", "crop 20").item == "a/b.jpg/crop-20" != Shown("a/b.jpg", "").item


def test_a_picture_is_found_by_an_edge_or_a_cluster(tmp_path: Path) -> None:
    """_d is in no cluster row at all; e has an edge to another photograph."""
    attacks = ["", "crop 5", "crop 10", "crop 20", "crop 40"]
    shown = [Shown("p", attack) for attack in attacks] + [Shown("q", "")]
    photograph, a, b, _d, e, other = (each.item for each in shown)
    rows: runs.Rows = {stage: [] for stage in ("items", "signatures", "verification")}
    rows["edges"] = [edge(photograph, a), edge(a, b), edge(other, e)]
    rows["clusters"] = [head(photograph), head(a), member(b, photograph), head(e), head(other)]
    both, direct = found(shown, open_run(runs.write(tmp_path / "run", rows)))
    assert both.tolist() == [True, True, True, False, False, True]
    assert direct.tolist() == [False, True, False, False, False, False]


@pytest.mark.slow
def test_the_whole_of_it_on_a_few_pictures(tmp_path: Path) -> None:
    for name in ("coffee", "chelsea", "astronaut"):
        picture = Image.open(Path(skimage.data.__file__).parent / f"{name}.png").convert("RGB")
        picture.save(tmp_path / f"{name}.jpg", quality=95)
    table = run(tmp_path, 90)
    assert len(table.rows) == 10
    attacked = [int(row[1]) for row in table.rows]
    assert sum(attacked) == 87 and table.rows[-1][0] == "82 to 90"
    recalls = np.array(list(table.numbers["recall"].values()))
    assert (recalls * attacked).sum() / 87 > 0.9
