"""What is connected with some items in a run: against union by hand, on chains, rings and strangers."""

import random
from pathlib import Path

from parity.explain.components import components
from parity.explain.linked import linked
from parity.explain.runs import RunSide
from shared.run import Run, open_run
from tests import runs


def a_run(folder: Path, edges: list[tuple[str, str]]) -> Run:
    names = sorted({end for edge in edges for end in edge})
    rows = {
        "items": [runs.item(name) for name in names],
        "edges": [runs.edge(*edge) for edge in edges],
        "clusters": [runs.head(name) for name in names],
    }
    return open_run(runs.write(folder / "run", rows))


def test_each_component_is_whole_and_no_other_is_read(tmp_path: Path) -> None:
    rng = random.Random(5)
    edges = [
        tuple(sorted(rng.sample([f"{group}{n}" for n in range(9)], 2))) for group in "abcde" for _ in range(7)
    ]
    edges += [(f"chain {n:04d}", f"chain {n + 1:04d}") for n in range(400)]
    own = [(a, b) for a, b in dict.fromkeys(edges)]
    found = linked(a_run(tmp_path, own), ["a0", "b1", "chain 0200", "nobody"], 1_000)
    expected: dict[str, set[str]] = {name: set() for name in ("a0", "b1", "chain 0200", "nobody")}
    while True:
        more = [(a, b) for a, b in own if {a, b} & expected.keys()]
        before = {item: set(near) for item, near in expected.items()}
        for a, b in more:
            expected.setdefault(a, set()).add(b)
            expected.setdefault(b, set()).add(a)
        if before == expected:
            break
    assert found == expected
    assert len([name for name in found if name.startswith("chain")]) == 401


def test_the_smallest_components_are_followed(tmp_path: Path) -> None:
    chain = [(f"chain {n}", f"chain {n + 1}") for n in range(8)]
    run = a_run(tmp_path, [("a", "b"), ("b", "c"), *chain])
    found = linked(run, ["a", "chain 0"], 5)
    assert found == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}, "chain 0": {"chain 1"}}


def test_components_say_whether_they_are_whole(tmp_path: Path) -> None:
    run = a_run(tmp_path, [("a", "b"), ("b", "c")])
    found = components(RunSide(run), ["c", "x"])
    assert (found["c"].members, found["c"].whole) == (frozenset("abc"), True)
    assert (found["x"].members, found["x"].whole) == (frozenset("x"), True)


def test_a_run_without_edges(tmp_path: Path) -> None:
    assert linked(open_run(runs.write(tmp_path / "run", {})), ["a"], 10) == {"a": set()}
