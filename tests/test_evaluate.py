from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cli.main import main
from parity.evaluate import Evaluation, Score, evaluate
from shared.errors import SourceError
from shared.run import open_run
from tests import runs
from tests.runs import edge, head, item, member, sample


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return runs.write(tmp_path / "run", sample())


def judge(run: Path, text: str | bytes) -> Evaluation:
    truth = run.parent / "truth.csv"
    truth.write_bytes(text.encode() if isinstance(text, str) else text)
    return evaluate(open_run(run), truth)


def test_edges_and_clusters_are_judged_apart(tmp_path: Path) -> None:
    """b and c are in one cluster without an edge; the truth has a pair that nothing found."""
    rows = sample()
    rows["edges"].remove(edge("b", "c"))
    result = judge(runs.write(tmp_path / "run", rows), "a,b\nb,c\nd,f\n")
    assert result.edges == Score(found=3, truth=3, correct=1)
    assert result.clusters == Score(found=4, truth=3, correct=2)
    assert (result.clusters.precision, result.clusters.recall, result.clusters.f1) == (2 / 4, 2 / 3, 4 / 7)


def test_a_huge_cluster_is_counted_not_listed(tmp_path: Path) -> None:
    n = 30_000  # 450 million pairs
    names = [f"i{i:05d}" for i in range(n)]
    rows: runs.Rows = {
        "items": [item(name) for name in names],
        "signatures": [],
        "verification": [],
        "edges": [],
    }
    rows["clusters"] = [head(names[0]), *(member(name, names[0]) for name in names[1:])]
    result = judge(runs.write(tmp_path / "run", rows), "i00001,i29999\n")
    assert result.clusters == Score(found=n * (n - 1) // 2, truth=1, correct=1)
    assert result.edges == Score(0, 1, 0)
    assert (result.edges.precision, result.edges.recall, result.edges.f1) == (None, 0, 0)


@pytest.mark.parametrize(
    "text", ["a,b\nd,e\n", "a\tb\nd\te\n", "a b\nd   e\n", '"a","b"\r\n\r\nd, e', "\ufeffa,b\nd,e"]
)
def test_separators(run: Path, text: str) -> None:
    assert judge(run, text).edges == Score(4, 2, 2)


def test_an_id_may_hold_what_else_ends_a_line(tmp_path: Path) -> None:
    """Only a line feed does here, and in quotes not even that."""
    names = ["a\u2028b", "c\x0bd", "e\nf"]
    rows = {
        "items": [item(name) for name in names],
        "edges": [edge(names[0], names[1]), edge(names[1], names[2])],
    }
    result = judge(runs.write(tmp_path / "run", rows), 'a\u2028b,c\x0bd\nc\x0bd,"e\nf"\n')
    assert result.edges == Score(2, 2, 2)


def test_order_and_repeats_do_not_matter(run: Path) -> None:
    result = judge(run, "b,a\na,b\na,b\ne,d\n")
    assert result.edges == Score(4, 2, 2)
    assert (result.pairs, result.repeated) == (2, 2)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("left,right\na,b\n", "left, right"),
        ("a,b\n", None),
        ("x,b\na,b\n", None),  # b is an id
        ("x,y\n", None),  # or else there would be no pair
        ("x,y\na,x\n", None),  # x comes again
    ],
)
def test_headers(run: Path, text: str, header: str | None) -> None:
    assert judge(run, text).header == header


def test_ids_that_are_not_in_the_index(tmp_path: Path) -> None:
    rows = sample()
    rows["items"].append(item("broken", status="image_invalid"))
    result = judge(runs.write(tmp_path / "run", rows), "a,b\na,nobody\nbroken,a\ng,a\n")
    assert (result.unknown, result.failed, result.deleted) == (("nobody",), ("broken",), ("g",))
    assert result.left_out == 1
    assert result.edges == Score(found=4, truth=3, correct=1)  # unknown and failed count as missed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no pairs"),
        ("\n \n", "holds no pairs"),
        ("a,b\na\n", r"line 2: expected two ids, found 1 fields: \['a'\]"),
        ("a,b\n\nc,d,e\n", "line 3: expected two ids, found 3 fields"),
        ("a,b\nc,\n", r"line 2: expected two ids, found 2 fields: \['c', ''\]"),
        ("a,b\nc,c\n", "pairs 'c' with itself; a pair needs two ids"),
        ('a,b\n"c,d\n', "line 2: unexpected end of data"),
        (b"a,\xff\n", "cannot be read as UTF-8 text"),
    ],
)
def test_malformed_files(run: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        judge(run, text)


def test_a_run_without_anything(tmp_path: Path) -> None:
    rows: runs.Rows = {name: [] for name in sample()}
    result = judge(runs.write(tmp_path / "run", rows), "a,b\n")
    assert (result.edges, result.clusters, result.unknown) == (Score(0, 1, 0), Score(0, 1, 0), ("a", "b"))


def test_the_command(run: Path) -> None:
    truth = run.parent / "truth.csv"
    truth.write_text("x,y\na,b\nnobody,a\n")
    shown = CliRunner().invoke(main, ["evaluate", str(run), "--truth", str(truth)])
    assert shown.exit_code == 0
    assert "1 id that the run never saw (its pairs count as missed): nobody" in shown.output
    assert "the first line was taken for a header: x, y" in shown.output
    printed = CliRunner().invoke(main, ["evaluate", str(run), "--truth", str(truth), "--json"])
    found = orjson.loads(printed.output)
    assert found["edges"] == {
        "found": 4, "truth": 2, "correct": 1, "precision": 0.25, "recall": 0.5, "f1": 1 / 3,
    }  # fmt: skip
    assert found["unknown"] == ["nobody"]
    missing = CliRunner().invoke(main, ["evaluate", str(run), "--truth", "nowhere.csv"])
    assert missing.exit_code == 2 and "crossfade: the truth nowhere.csv cannot be read" in missing.output
