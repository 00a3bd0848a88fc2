"""What is found and what is false, on answers and runs made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.protocol import Protocol, Query
from bench.accuracy.scoring import QueryEdges, Score, answers_of_run, query_edges, score
from shared.run import open_run
from tests import runs
from tests.runs import edge, head, item, member

PROTOCOL = Protocol(Path("photographs"), ("p", "q", "r"), ("p", "q"), ("c",), frozenset())


class Few(Protocol):
    """Four queries in place of 58 a photograph: two of p, one of q, one of the control c."""

    queries = (  # type: ignore[assignment]
        Query("p1", "p", "jpeg 10", 0),
        Query("p2", "p", "crop 5", 0),
        Query("q1", "q", "jpeg 10", 1),
        Query("c1", "c", "crop 5", -1),
    )


FEW = Few(Path("photographs"), ("p", "q", "r"), ("p", "q"), ("c",), frozenset())


def test_scores_by_hand() -> None:
    answers = np.zeros((4, 3), np.bool_)
    answers[0, 0] = True  # found
    answers[1, [0, 2]] = True  # found and false
    answers[2, 0] = True  # false, and not found
    answers[3, 1] = True  # a control that leads to something
    found = score(FEW, answers)
    assert found.whole == Score(positives=3, found=2, queries=4, false=3)
    assert (found.whole.recall, found.whole.precision, found.whole.false_rate) == (2 / 3, 2 / 5, 3 / 4)
    assert found.whole.f1 == pytest.approx(2 * (2 / 3 * 2 / 5) / (2 / 3 + 2 / 5))
    assert found.attacks == {"jpeg 10": Score(2, 1, 2, 1), "crop 5": Score(1, 1, 2, 2)}
    assert found.false == {("c", "q"): 1, ("p", "r"): 1, ("q", "p"): 1}
    assert found.groups == {"jpeg": Score(2, 1, 2, 1), "crop 5-20": Score(1, 1, 2, 2)}


def test_nothing_found_is_no_error_and_no_precision_lost() -> None:
    whole = score(FEW, np.zeros((4, 3), np.bool_)).whole
    assert (whole.recall, whole.precision, whole.f1) == (0, 1, 0)


def test_a_labelled_near_duplicate_is_neither_false_nor_the_original() -> None:
    labelled = Few(FEW.root, FEW.database, FEW.attacked, FEW.controls, frozenset({frozenset("pr")}))
    answers = np.zeros((4, 3), np.bool_)
    answers[0, 2] = answers[2, 2] = True
    assert score(labelled, answers).whole == Score(positives=3, found=0, queries=4, false=1)


def test_answers_of_a_run_are_its_edges_and_its_clusters(tmp_path: Path) -> None:
    """p1 has an edge to p and is in its cluster, where p2 is without an edge; q1 has an edge to q but
    joined p's cluster; c1 leads a cluster of its own."""
    rows: runs.Rows = {
        "items": [item(name) for name in FEW.items],
        "signatures": [],
        "verification": [],
        "edges": [edge("p", "p1"), edge("q", "q1"), edge("p1", "q1"), edge("p1", "p2")],
        "clusters": [
            *(head(name) for name in ("p", "q", "r", "c1")),
            *(member(name, "p") for name in ("p1", "p2", "q1")),
        ],
    }
    run = open_run(runs.write(tmp_path / "run", rows))
    expected = np.zeros((4, 3), np.bool_)
    expected[[0, 1, 2], 0] = True
    expected[2, 1] = True
    assert np.array_equal(answers_of_run(FEW, run), expected)
    assert query_edges(FEW, run) == QueryEdges(edges=2, mixed=1)
    one = replace(PROTOCOL, same=frozenset({frozenset("pq")}))
    assert query_edges(Few(*vars(one).values()), run) == QueryEdges(edges=2, mixed=0)


def test_pictures_that_are_missing_from_a_run_are_no_misses(tmp_path: Path) -> None:
    names = [*FEW.items[:-1], "unknown"]
    rows: runs.Rows = {stage: [] for stage in ("items", "signatures", "verification", "edges", "clusters")}
    rows["clusters"] = [head(name) for name in names[:-1]]
    with pytest.raises(ValueError, match="no cluster for 1 of"):
        answers_of_run(FEW, open_run(runs.write(tmp_path / "short", rows)))
    rows["clusters"] = [head(name) for name in names]
    with pytest.raises(ValueError, match="1 ids of the run"):
        answers_of_run(FEW, open_run(runs.write(tmp_path / "other", rows)))
