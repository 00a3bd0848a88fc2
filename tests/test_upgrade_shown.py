"""An upgrade as it is shown: in the terminal, as JSON and as a page, by the command."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from cli.main import main
from parity.upgrade.document import to_json
from parity.upgrade.gates import GATES
from parity.upgrade.page_pairs import SHOWN
from parity.upgrade.upgrade import upgrade
from shared.run import open_run
from shared.spec import from_dict, load, to_dict
from tests import golden_files, runs
from tests.runs import edge, head, item, member, record, signature
from tests.test_diff_page import check_harmless, event, texts_lake
from tests.test_diff_page import stable as stable_page
from tests.test_upgrade import changed_spec, fits, setting


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything, by hand: the threshold falls from 0.7 to 0.5, and B has an edge that is not true."""
    monkeypatch.chdir(tmp_path)
    tokens = {
        "a": range(10),
        "b": range(10),
        "c": range(1, 11),
        "d": range(4, 14),
        "e": range(90, 99),
        "f": range(92, 99),
    }
    tokens |= {"g": range(50, 60), "h\x1b[31m\u202e" + "x" * 60: range(50, 60)}
    strange = list(tokens)[-1]
    rows: runs.Rows = {
        "items": [item(name, time) for time, name in enumerate(tokens)],
        "signatures": [signature(name, *range(128)) for name in tokens],
        "verification": [record(name, *own) for name, own in tokens.items()],
        "buckets": [runs.bucket(name) for name in tokens],
        "candidates": [runs.drew("b", "a")],
    }
    a = rows | {
        "edges": [edge("a", "b", 10), edge("a", "c", 9, 11), edge("g", strange, 10), edge("e", "f", 7, 9)],
        "clusters": [head("a"), member("b", "a"), member("c", "a"), head("d"), head("e"), head("g")],
    }
    a["clusters"] += [member("f", "e"), member(strange, "g")]
    b = rows | {
        "items": [*rows["items"][:5], item("f", 77), *rows["items"][6:]],
        "candidates": [runs.drew("b", "a"), runs.drew("d", "a", "c")],
        "edges": [edge("a", "b", 10), edge("a", "d", 6, 14), edge("c", "d", 7, 13)],
        "clusters": [head("a"), member("b", "a"), head("c"), member("d", "c")],
    }
    b["clusters"] += [head(name) for name in ("e", "f", "g", strange)]
    a["edges"].append(edge("b", "c", 9, 11))
    new = changed_spec(to_dict(load("text")), setting("match.threshold", "0.5"))
    runs.write(Path("a"), a, engine="spark")
    runs.write(Path("b"), b, from_dict(new), engine="stream", dead_letters={"not_json": 2})
    return tmp_path


def stable(text: str) -> str:
    """Without contract ids, which have golden files of their own."""
    for name, run in (("A", open_run("a")), ("B", open_run("b"))):
        text = text.replace(run.contract_id, name * 32)
    return text


@pytest.mark.usefixtures("told")
def test_terminal_output_is_golden_and_fits() -> None:
    text = fits(upgrade(open_run("a"), open_run("b")))
    assert "\x1b" not in text and "\u202e" not in text
    golden_files.check("upgrade.txt", stable(text))


@pytest.mark.usefixtures("told")
def test_json_is_golden() -> None:
    golden_files.check("upgrade.json", stable(to_json(upgrade(open_run("a"), open_run("b"))).decode()))


def crossfade(*arguments: str) -> Any:
    return CliRunner().invoke(main, arguments)


@pytest.mark.usefixtures("told")
class TestCommand:
    def test_over_the_gates_is_1(self) -> None:
        shown = crossfade("diff", "a", "b", "--upgrade", "--verify", "--json", "found.json")
        assert shown.exit_code == 1 and "OVER THE GATES (event, lost, unjudged)" in shown.output
        found = orjson.loads(Path("found.json").read_bytes())
        assert (found["format"], found["verdict"], found["verified"]) == (
            "crossfade-upgrade", "over the gates", True,
        )  # fmt: skip

    def test_within_gates_is_0(self) -> None:
        gates = ("--gate", "event=2", "--gate", "lost=60%", "--gate", "unjudged=1")
        shown = crossfade("diff", "a", "b", "--upgrade", *gates, "--json", "-")
        assert shown.exit_code == 0 and orjson.loads(shown.output)["verdict"] == "within gates"
        assert crossfade("diff", "a", "b", "--upgrade", *gates, "--gate", "parted=0").exit_code == 1

    def test_what_cannot_be_compared_is_2(self) -> None:
        shown = crossfade("diff", "a", "a", "--upgrade")
        assert shown.exit_code == 2 and "nothing is upgraded between them" in shown.stderr
        shown = crossfade("diff", "a", "b", "--upgrade", "--json", "nowhere/found.json")
        assert shown.exit_code == 2 and "nowhere/found.json cannot be written" in shown.stderr

    @pytest.mark.parametrize(
        "option",
        [["--allow-late"], ["--lake", "."], ["--known", "x"], ["--engine", "spark"]],
    )
    def test_options_of_one_contract_are_refused(self, option: list[str]) -> None:
        shown = crossfade("diff", "a", "b", "--upgrade", *option)
        assert shown.exit_code == 2 and f"{' '.join(option[:1])}" in shown.stderr.replace("\n", " ")


def test_every_gate_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "diff-json.md").read_text("utf-8")
    assert [kind for kind in GATES if f"`{kind}`" not in page] == []


class TestPage:
    def page(self, *options: str) -> str:
        crossfade("diff", "a", "b", "--upgrade", "--html", "page.html", *options)
        return Path("page.html").read_text("utf-8")

    @pytest.mark.usefixtures("told")
    def test_it_is_golden_and_harmless(self) -> None:
        """With the texts of a lake, which has all but one of the ends."""
        times = {row["id"]: row["event_time"] for row in open_run("a").read("items").to_pylist()}
        lake = texts_lake([event(name, time) for name, time in times.items() if name != "c"])
        text = self.page("--lake", str(lake))
        page = check_harmless(text)
        assert "Over the gates: event, lost, unjudged." in page.text
        assert page.text.count("the lake has no such record") == 6  # c, wherever it is shown
        golden_files.check("upgrade-page.html", stable(stable_page(text)))

    @pytest.mark.usefixtures("told")
    def test_without_a_lake_it_says_why(self) -> None:
        page = check_harmless(self.page())
        assert "Without pictures and texts: neither run names a lake (give --lake)." in page.text

    def test_a_few_of_many_pairs_are_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of each truth SHOWN, and how many are not."""
        monkeypatch.chdir(tmp_path)
        names = [f"i{n:02d}" for n in range(SHOWN + 4)]
        rows: runs.Rows = {
            "items": [item(name, time) for time, name in enumerate(names)],
            "signatures": [signature(name, *range(128)) for name in names],
            "verification": [record(name, *range(10)) for name in names],
        }
        a = rows | {"edges": [edge(names[0], name, 10) for name in names[1:]]}
        runs.write(Path("a"), a)
        runs.write(
            Path("b"), rows, from_dict(changed_spec(to_dict(load("text")), setting("minhash.seed", 2)))
        )
        page = check_harmless(self.page())
        assert len([1 for tag, attributes in page.found if attributes.get("class") == "pair"]) == SHOWN
        assert "3 more are not shown." in page.text
