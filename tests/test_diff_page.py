"""The page of a diff: what it says of each class, and that it loads and runs nothing, whatever is in it."""

import json
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from parity.diff import Options, diff
from parity.forge import edit_manifest, edit_rows, overwrite
from parity.report.differences import LISTED, OPEN
from parity.report.gather import GROUPS
from parity.report.members import CLUSTERS, MEMBERS
from parity.report.page import diff_page
from shared.contract import contract_id
from shared.lake import Lake, write_lake, write_lake_file
from shared.records import RECORD_SCHEMA
from shared.run import open_run
from shared.spec import from_dict, load, to_dict
from tests import golden_files, runs
from tests.runs import edge, head, item, member, sample
from tests.test_diff_classes import CASES
from tests.test_page import EVIL, Elements

VOID = {"meta", "wbr"}
PAGES = [name for name, (_, _, status) in CASES.items() if status != 2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runs have short relative paths, so that golden files can hold them."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def crossfade(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", "a", "b", "--html", "page.html", *arguments])


def page_of(a: runs.Rows, b: runs.Rows, lake: Path | None = None) -> str:
    return page_at(runs.write(Path("a"), a), runs.write(Path("b"), b), lake)


def page_at(a: Path, b: Path, lake: Path | None = None) -> str:
    left, right = open_run(a), open_run(b)
    return diff_page(left, right, diff(left, right, Options(lake=lake)), lake)


def texts_lake(rows: Sequence[tuple[int, bytes]], folder: Path = Path("lake")) -> Path:
    """A lake at runs.FENCE with these (offset, value) in partition 0."""
    offsets = [offset for offset, _ in rows]
    columns = [[0] * len(rows), offsets, offsets, [None] * len(rows), [value for _, value in rows]]
    table = pa.table(dict(zip(RECORD_SCHEMA.names, columns, strict=True)), schema=RECORD_SCHEMA)
    file = write_lake_file(folder, 0, 0, 40, table)
    write_lake(folder, Lake("items", runs.FENCE, (file,)))
    return folder


def event(name: str, time: int, op: str = "upsert") -> tuple[int, bytes]:
    """The record of tests/runs.py's item: its text is its name, for that has its digest."""
    body = {"id": name, "op": op, "event_time": time}
    return time, json.dumps(body | ({"payload": {"text": name}} if op == "upsert" else {})).encode()


def covered() -> runs.Rows:
    """The sample, as sample_lake has it."""
    rows = sample()
    rows["items"][-1]["digest"] = bytes(32)
    return rows


def sample_lake() -> Path:
    return texts_lake([*(event(name, 10 + i) for i, name in enumerate("abcdef")), event("g", 20, "delete")])


class Balance(HTMLParser):
    """Every element that is opened is closed in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()


def check_harmless(text: str) -> Elements:
    """Nothing is loaded, nothing runs, every place that is pointed at is in the page."""
    page = Elements(text)
    Balance(text)
    assert not {tag for tag, _ in page.found} & {"script", "link", "iframe", "img", "object", "embed", "base"}
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.found:
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name in attributes)
        if tag == "image":
            assert (attributes["href"] or "").startswith("data:image/jpeg;base64,")
        elif "href" in attributes:
            assert (attributes["href"] or "").removeprefix("#") in ids
        assert tag == "image" or "url(" not in str(attributes.get("style"))
    policy = page.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "\u202e" not in text and "\x1b" not in text
    return page


def stable(text: str) -> str:
    """Without the style, the times of writing and the contract id, which has golden files of its own."""
    text = re.sub("<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
    text = re.sub("<time .*?</time>", "<time></time>", text)
    return text.replace(contract_id(load("text")), "0" * 32)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_of_each_class_is_golden(name: str) -> None:
    make, options, status = CASES[name]
    runs.write(Path("a"), sample())
    make()
    assert crossfade(*options).exit_code == status
    text = Path("page.html").read_text("utf-8")
    check_harmless(text)
    golden_files.check(f"diff-page-{name}.html", stable(text))


def test_the_page_of_runs_that_miss_the_same_event_is_golden() -> None:
    """They are equal, and neither is what the lake says."""
    rows = covered()
    for stage in rows:
        rows[stage] = [row for row in rows[stage] if row.get("id", row.get("later")) != "f"]
    for name in ("a", "b"):
        runs.write(Path(name), rows)
    sample_lake()
    assert crossfade("--lake", "lake").exit_code == 1
    text = Path("page.html").read_text("utf-8")
    page = check_harmless(text)
    assert "they are not what the lake says" in page.text
    assert "Against the lake, in A: 1 id of the lake is missing." in page.text
    golden_files.check("diff-page-uncovered.html", stable(text))


def test_a_regrouping_with_its_texts_is_golden() -> None:
    """a's cluster is in two parts in B, since an edge is lost; the members show what they hold."""
    b = covered()
    b["edges"].remove(edge("a", "b"))
    b["edges"].remove(edge("a", "c", 9))
    b["clusters"][1:3] = [head("b"), member("c", "b")]
    text = page_of(covered(), b, sample_lake())
    page = check_harmless(text)
    assert "Both runs hold what the lake says" in page.text
    assert "One cluster of A is in 2 parts in B" in page.text
    assert "Matched in A, not in B: words 8/10 = 0.800" in page.text
    golden_files.check("diff-page-regrouping.html", stable(text))


def test_whatever_the_runs_hold_is_text() -> None:
    rows, other = sample(), sample()
    evil = [
        EVIL,
        EVIL + "2",
        "javascript:alert(1)",
        'data:text/html,<b onclick="x()">',
        "http://evil.example/x.png",
    ]
    for place, name in enumerate(evil):
        for side in (rows, other):
            side["items"].append(item(name, 30 + place, status=EVIL))
        rows["edges"].append(edge("a", name) | {"channel": EVIL})
        rows["clusters"].append(member(name, "a") | {"channel": EVIL})
        other["clusters"].append(head(name))
    data = to_dict(load("text")) | {"name": EVIL}
    data["channels"][0]["name"] = EVIL
    spec = from_dict(data)
    engine, letters = EVIL.replace("/", ""), {EVIL: 2, "http://evil.example": 1}
    runs.write(Path("a"), rows, spec, engine=engine, dead_letters=letters)
    runs.write(Path("b"), other, spec, engine=engine)
    Path("known.toml").write_text(
        "[[known]]\nname = {0}\nowner = {0}\nreason = {0}\nstage = 'match'\nid = '*2'\nexpires = 2999-12-31\n"
        "cap = 3\n".format(json.dumps(EVIL))
    )
    lake = texts_lake([(30 + place, event(name, 30 + place)[1]) for place, name in enumerate(evil)])
    assert crossfade("--known", "known.toml", "--lake", str(lake)).exit_code == 1
    text = Path("page.html").read_text("utf-8")
    page = check_harmless(text)
    shown = page.text.replace("\n", "")
    assert shown.count("<script>alert(1)</script>") > 20  # as what it is
    assert {tag for tag, _ in page.found} <= SAFE


SAFE = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "footer"),
    *("nav", "h1", "h2", "h3", "h4", "p", "b", "i", "q", "small", "span", "em", "code", "a", "time", "wbr"),
    *("div", "dl", "dt", "dd", "ol", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details"),
    *("summary", "figure", "figcaption", "svg", "defs", "path", "rect", "text", "image", "use"),
}  # fmt: skip


def test_what_is_left_out_is_said() -> None:
    """More differences, regroupings, clusters and members than a page shows."""
    rows: runs.Rows = {name: [] for name in sample()}
    groups = [[f"{group:03d}-{i:02d}" for i in range(MEMBERS + CLUSTERS + 3)] for group in range(GROUPS + 5)]
    other = {name: list(of) for name, of in rows.items()}
    for first, *others in groups:
        for side in (rows, other):
            side["items"] += [item(name) for name in (first, *others)]
        rows["edges"] += [edge(first, name) for name in others]
        rows["clusters"] += [head(first), *(member(name, first) for name in others)]
        apart = others[: CLUSTERS + 2]
        other["edges"] += [edge(first, name) for name in others if name not in apart]
        other["clusters"] += [head(name) for name in (first, *apart)]
        other["clusters"] += [member(name, first) for name in others if name not in apart]
    page = check_harmless(page_of(rows, other))
    total = len(groups) * (CLUSTERS + 2)
    assert f"The first {LISTED} of {total}." in page.text and f"{LISTED - OPEN} more" in page.text
    assert len([one for one in page.all("article") if one["class"] == "group"]) == GROUPS
    assert "5 more are not shown." in page.text
    assert f"{len(groups[0]) - MEMBERS} more items" in page.text and "3 more clusters" in page.text
    # Whatever is left out, what moved is there, and where it is on the other side.
    assert page.text.count("in another cluster") == GROUPS * (CLUSTERS + 2 - (CLUSTERS - 1))


def test_members_say_where_they_are_on_the_other_side() -> None:
    a, b = sample(), sample()
    b["items"] = [row for row in b["items"] if row["id"] != "c"]
    b["clusters"] = [head("a"), head("b"), head("d"), member("e", "d"), head("f")]
    page = page_of(a, b)
    rows = re.findall(r'<li>(?:<span class="badge">head</span>)?<b class="id" title="(.)">.*?</li>', page)
    assert rows == ["a", "c", "b", "a", "b"]
    chips = re.findall(
        r'title="(.)">.</b><span>[^<]*(?:<[^/].*?</span>[^<]*)?</span>(<span class="chip.*?</span>)?', page
    )
    assert [(name, re.sub("<.*?>", "", chip)) for name, chip in chips[:5]] == [
        ("a", "in B1"), ("c", "only on this side"), ("b", "in B2"), ("a", ""), ("b", ""),
    ]  # fmt: skip


def test_rows_that_a_diff_has_not_read_may_be_damaged() -> None:
    runs.write(Path("a"), sample())
    runs.write(Path("b"), sample())
    overwrite(next(Path("b/edges").glob("*.parquet")), blank)
    done = crossfade()
    assert done.exit_code == 2 and not Path("page.html").exists()
    assert "crossfade: b: the rows of edges cannot be read" in done.stderr


def blank(data: bytearray) -> None:
    """No rows are left between Parquet's first four bytes and its footer."""
    footer = int.from_bytes(data[-8:-4], "little") + 8
    data[4:-footer] = bytes(len(data) - footer - 4)


def test_odd_numbers_of_damaged_rows_are_plotted() -> None:
    b = sample()
    b["edges"][0] = edge("a", "b", 2**62, 0)
    b["edges"][1] = edge("a", "c", -5, 10)
    page = check_harmless(page_of(sample(), b))
    assert "0.00 to" in page.text and "from 1.00" in page.text


def test_runs_without_rows() -> None:
    empty: runs.Rows = {name: [] for name in sample()}
    page = check_harmless(page_of(empty, empty))
    for text in (
        "All 0 items agree",
        "Neither run has an edge",
        "Neither run has clusters",
        "No append time",
    ):
        assert text in page.text


def test_versions_that_differ_are_marked() -> None:
    from parity.forge import edit_manifest

    for name, version in (("a", "1.0"), ("b", "2.0")):
        runs.write(Path(name), sample())
        edit_manifest(
            Path(name), lambda m, v=version, n=name: m["versions"].update({"numpy": v, f"only-{n}": "3"})
        )
    page = check_harmless(page_at(Path("a"), Path("b")))
    assert "Versions of libraries: 1 of 4 not the same" in page.text


class TestCommand:
    @pytest.fixture(autouse=True)
    def two_runs(self, folder: Path) -> None:
        for name in "ab":
            runs.write(Path(name), sample())

    def test_the_page_comes_beside_the_tables_or_the_json(self) -> None:
        assert "PARITY" in crossfade().output and Path("page.html").exists()
        Path("page.html").unlink()
        assert json.loads(crossfade("--json", "-").output)["verdict"] == "parity"
        assert Path("page.html").exists()

    def test_a_folder_that_is_not_there(self) -> None:
        done = crossfade("--html", "nowhere/page.html")
        assert done.exit_code == 2
        assert "nowhere/page.html cannot be written (No such file or directory)" in done.stderr
        assert not done.stdout

    def test_files_are_written_before_the_tables(self) -> None:
        """So that `| head` loses none."""

        def closed(*_: object) -> None:
            raise BrokenPipeError

        with mock.patch("cli.diff.show", closed):
            crossfade("--json", "found.json")
        assert Path("page.html").exists() and Path("found.json").exists()

    def test_the_runs_name_two_lakes(self) -> None:
        for name in "ab":
            edit_manifest(Path(name), lambda m, name=name: m["input"].update(lake=f"lake-{name}"))
        assert "not looked at: the runs name two, lake-a and lake-b (give --lake)" in crossfade().output

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--lake", "a", "--no-lake"], "--lake and --no-lake contradict each other"),
            (["--master", "local[2]"], "--master is for --engine spark"),
            (["--json", "b/manifest.json"], "b/manifest.json lies in b, which is read"),
            (["--json", "page.html"], "--json and --html both name page.html"),
        ],
    )
    def test_options_that_do_not_go_together(self, options: list[str], says: str) -> None:
        done = crossfade(*options)
        assert done.exit_code == 2 and says in done.stderr

    def test_without_the_lake_there_are_no_texts(self) -> None:
        edit_rows(
            Path("b"), "clusters", lambda rows: rows.__setitem__(1, dict(rows[1], head="d", numerator=8))
        )
        assert crossfade().exit_code == 1
        assert "Without pictures and texts: neither run names a lake" in Path("page.html").read_text("utf-8")


def test_the_numbers_of_a_plot_are_those_of_the_rows() -> None:
    """The table below each plot, against a count of the rows themselves."""
    rng = np.random.default_rng(1)
    names = [f"n{i}" for i in range(60)]
    rows: runs.Rows = {name: [] for name in sample()}
    rows["items"] = [item(name) for name in names]
    pairs = {(a, b): int(rng.integers(70, 101)) for a, b in rng.choice(60, (200, 2)).tolist() if a < b}
    rows["edges"] = [edge(names[a], names[b], value, 100) for (a, b), value in pairs.items()]
    text = page_of(rows, rows)
    shown = re.findall(
        r'<td class="text">(\d\.\d\d) to [\d.]+</td><td>(\d+)</td><td>(\d+)</td><td>0</td>', text
    )
    last = re.findall(r'<td class="text">from 1.00</td><td>(\d+)</td>', text)
    counts = [sum(low <= value < low + 2 for value in pairs.values()) for low in range(70, 100, 2)]
    assert [(int(a), int(b)) for _, a, b in shown] == [(count, count) for count in counts]
    assert [int(value) for value in last] == [sum(value == 100 for value in pairs.values())]
