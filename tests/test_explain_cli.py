"""`crossfade explain` as it is typed: what it prints, and its exit status."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from cli.main import main
from shared.run import open_run
from shared.spec import from_dict
from stream.export import export
from stream.stores import open_store
from stream.stores.protocol import Store
from tests import explained, golden_files
from tests.explained import Made
from tests.forged import changed, copy_run, without
from tests.hand_made import event, log, make_channel, make_spec
from tests.test_explain import SPEC, records, text

HOSTILE = "\x1b[2J\u202e[bold]x[/bold]"


def crossfade(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", *(str(argument) for argument in arguments)])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def made() -> Made:
    """run, and lake beside it."""
    return explained.make(SPEC, records(), Path("run"), Path("lake"))


@pytest.fixture
def state() -> Iterator[Store]:
    """A state in RocksDB that this process holds open."""
    store = open_store(Path("state"))
    explained.fill(store, from_dict(SPEC), records())
    yield store
    store.close()


def test_a_run_beside_a_state_that_is_in_use(made: Made, state: Store) -> None:
    shown = crossfade("b", "h", "--at", "run", "--at", "state")
    assert shown.exit_code == 0, shown.output
    assert "Nothing parts: A and B store the same of b and h at every stage." in shown.output
    assert max(map(cell_len, shown.output.splitlines())) <= 100
    one = crossfade("h", "--at", "state", "--verify")
    assert one.exit_code == 0 and "a consumer's state" in one.output and "7 with earlier items" in one.output


def test_a_state_moves_on_and_its_run_does_not(state: Store) -> None:
    export(state, Path("run"))
    more = [*records(), (0, 10, 2500, event("late", 990, text(0)))]
    explained.fill(state, from_dict(SPEC), more)
    shown = crossfade("b", "--at", "run", "--at", "state")
    assert shown.exit_code == 1
    assert "A has not read its record yet" in " ".join(shown.output.split())
    shown = crossfade("late", "--at", "run", "--at", "state")
    assert shown.exit_code == 1 and "They part at event because late is only in B" in shown.output


def test_golden(made: Made) -> None:
    """A pair of which one side lost the edge, and a later one its head."""
    copy_run(made.run, Path("first"), "edges", without(earlier="b", later="h"))
    head = {"head": "h", "channel": "", "numerator": 0, "denominator": 0}
    copy_run(Path("first"), Path("other"), "clusters", changed({"id": "h"}, **head))
    shown = crossfade("b", "h", "--at", "run", "--at", "other")
    assert shown.exit_code == 1
    lines = [line.rstrip() for line in shown.output.splitlines()]
    golden_files.check("explain-pair.txt", "\n".join(lines) + "\n")


def test_json(made: Made) -> None:
    shown = crossfade("h", "--at", "run", "--json")
    found = orjson.loads(shown.output)
    assert shown.exit_code == 0 and found["sound"] and found["ids"] == ["h"]
    assert found["sides"][0]["items"][0]["edges"]["count"] == 7


def test_hostile_ids_and_texts() -> None:
    texts = [text(0), text(1), f"{text(2)} {HOSTILE}", text(4)]
    names = [HOSTILE, "[red]b", "x" * 1024, "e\u0301\n"]
    values = [event(name, 1000 + n, words) for n, (name, words) in enumerate(zip(names, texts, strict=True))]
    explained.make(SPEC, log(*((2000, value) for value in values)), Path("run"), Path("lake"))
    for pair in ((HOSTILE, "[red]b"), ("x" * 1024, "e\u0301\n"), (HOSTILE, "x" * 1024)):
        shown = crossfade(*pair, "--at", "run", "--at", "run")
        assert shown.exit_code == 0, shown.output
        assert max(map(cell_len, shown.output.splitlines())) <= 100
        assert "\x1b" not in shown.output and "\u202e" not in shown.output
        orjson.loads(crossfade(*pair, "--at", "run", "--json").output)
    assert "\\x1b[2J\\u202e[bold]x[/bold]" in crossfade(HOSTILE, "--at", "run").output


def test_hostile_channel_names() -> None:
    spec = make_spec(make_channel(HOSTILE))
    explained.make(spec, records(), Path("run"), Path("lake"))
    copy_run(Path("run"), Path("other"), "verification", lambda rows: [])
    shown = crossfade("b", "h", "--at", "run", "--at", "other")
    assert shown.exit_code == 1 and "\x1b" not in shown.output and "\u202e" not in shown.output


def test_what_cannot_be_explained(made: Made) -> None:
    shown = crossfade("nope", "--at", "run")
    assert shown.exit_code == 2 and shown.output.count("\n") == 1
    assert shown.output.startswith("crossfade: run does not have an item 'nope'")
    assert "is no run (it has no manifest.json) and no consumer" in crossfade("a", "--at", ".").output
    assert "is no run" in crossfade("a", "--at", "nowhere").output
    assert crossfade("a", "--at", "run", "--lake", "run").exit_code == 2
    explained.make(make_spec(make_channel()), records(), Path("strange"))
    shown = crossfade("a", "--at", "run", "--at", "strange")
    assert shown.exit_code == 2 and "they cannot be mixed or compared" in shown.output
    for wrong in (("a",), ("a", "b", "c", "--at", "run"), ("a", "a", "--at", "run")):
        assert crossfade(*wrong).exit_code == 2
    assert crossfade("a", *("--at", "run") * 3).exit_code == 2
    assert crossfade("\udcff", "--at", "run").exit_code == 2


def test_a_damaged_run(made: Made) -> None:
    next((made.run / "signatures").glob("*.parquet")).unlink()
    shown = crossfade("a", "--at", "run")
    assert shown.exit_code == 2 and "is missing" in shown.output


def test_verify_reads_all_of_a_run(made: Made) -> None:
    assert crossfade("a", "--at", "run", "--verify").exit_code == 0
    (file,) = (made.run / "edges").glob("*.parquet")
    data = bytearray(file.read_bytes())
    data[60] ^= 1  # in the rows: the size and the footer are right
    file.write_bytes(data)
    assert "does not have the manifest's checksum" in crossfade("a", "--at", "run", "--verify").output


def test_an_event_set_instead_of_a_fence(made: Made) -> None:
    """A run made from files has no lake and no positions."""
    manifest = orjson.loads((made.run / "manifest.json").read_bytes())
    manifest["input"] = {"event_set": "ab" * 16, "files": ["texts.jsonl"]}
    (made.run / "manifest.json").write_bytes(orjson.dumps(manifest))
    assert open_run(made.run).fence is None
    shown = crossfade("b", "h", "--at", "run")
    assert (
        shown.exit_code == 0
        and "event set abab" in shown.output
        and "no lake was looked into" in shown.output
    )
