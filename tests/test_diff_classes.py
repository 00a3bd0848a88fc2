"""The exit status and the JSON of each class of difference, as golden files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from parity.forge import edit_manifest, edit_rows
from shared.contract import contract_id
from shared.fence import Fence
from shared.spec import load
from tests import golden_files, runs
from tests.runs import edge, head, item, sample, signature

REGISTRY = """
[[known]]
name = "new decoder"
stage = "signature"
id = "c"
owner = "ingest team"
reason = "ticket 123"
expires = 2999-12-31
cap = {cap}
"""
LATE = {"fence": Fence.at("cluster-1", "topic-1", {0: 40, 1: 60}).to_json()}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    runs.write(Path("a"), sample())
    yield tmp_path


def missing() -> None:
    b = sample()
    b["edges"].remove(edge("d", "e"))
    b["clusters"][4] = head("e")
    runs.write(Path("b"), b)


def extra() -> None:
    b = sample()
    b["items"].append(item("h", 30, status="no_features"))
    runs.write(Path("b"), b)


def wrong() -> None:
    b = sample()
    b["signatures"][2] = signature("c", 2, 3, 4, 5 ^ 16, 6, 7, 8, 9)
    runs.write(Path("b"), b)


def late() -> None:
    b = sample()
    b["items"].append(item("h", 30, partition=1, offset=55, status="no_features"))
    runs.write(Path("b"), b, source=LATE)


def known() -> None:
    wrong()
    Path("known.toml").write_text(REGISTRY.format(cap=1))


def over_its_cap() -> None:
    b = sample()
    for row in b["signatures"]:
        row.update(signature(row["id"], *range(50, 58)))
    runs.write(Path("b"), b)
    Path("known.toml").write_text(REGISTRY.format(cap=2).replace('"c"', '"[cde]"'))


def expired() -> None:
    wrong()
    Path("known.toml").write_text(REGISTRY.format(cap=1).replace("2999", "2001"))


def parity() -> None:
    runs.write(Path("b"), sample())


def refused() -> None:
    runs.write(Path("b"), sample())
    edit_rows(Path("b"), "edges", lambda rows: rows[0].update(numerator=1))
    edit_manifest(Path("b"), lambda manifest: manifest["stages"]["edges"]["digests"].popitem())


Case = tuple[Callable[[], None], tuple[str, ...], int]
CASES: dict[str, Case] = {
    "parity": (parity, (), 0),
    "missing": (missing, (), 1),
    "extra": (extra, (), 1),
    "wrong": (wrong, (), 1),
    "within-gates": (wrong, ("--gate", "wrong=1"), 0),
    "late": (late, ("--allow-late",), 0),
    "late-gated": (late, ("--allow-late", "--gate", "late=0"), 1),
    "late-refused": (late, (), 2),
    "known": (known, ("--known", "known.toml"), 0),
    "known-over-its-cap": (over_its_cap, ("--known", "known.toml"), 1),
    "known-expired": (expired, ("--known", "known.toml"), 1),
    "refused": (refused, (), 2),
}


@pytest.mark.parametrize("name", CASES)
def test_exit_status_and_json_are_golden(name: str) -> None:
    make, options, status = CASES[name]
    make()
    result = CliRunner().invoke(main, ["diff", "a", "b", "--json", "-", *options])
    text = f"exit status {result.exit_code}\n{result.output}"
    golden_files.check(f"diff-class-{name}.txt", text.replace(contract_id(load("text")), "0" * 32))
    assert result.exit_code == status
