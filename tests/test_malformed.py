"""Every field of a manifest and of lake.json replaced or left out: one sentence that names the file, or it
does not matter; never a traceback. What is of another type than an engine writes is accepted nowhere."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from shared import contract
from shared.errors import CrossfadeError, SourceError, SpecError
from shared.lake import read_lake
from shared.run import open_run
from shared.spec import from_dict
from tests import explained
from tests.forged import changed, copy_run
from tests.hand_made import make_channel, make_spec
from tests.test_explain import SPEC, records

Path_ = tuple[str | int, ...]
GONE = object()
VALUES = (None, [], {}, "x", -1, 1.5, True, 10**18, 10**30, {"a": None}, GONE)
EXTREMES = ({}, "x", 10**18, GONE)  # of what is accepted
RUN = (  # what reads a run: b differs from a, so that all of it is used
    ("diff", "b", "a", "--html", "page.html"),
    ("diff", "a", "b", "--upgrade"),
    ("inspect", "b", "--json"),
)
LAKE = (
    ("diff", "a", "b", "--html", "page.html"),
    ("inspect", "lake"),
    ("inspect", "lake", "--json"),
    ("explain", "b", "h", "--at", "b"),
    ("export", "--state", "nowhere", "--output", "out", "--fence", "lake"),
)
# May be left out: what has a default in a spec, or is there for people alone.
OPTIONAL = {
    *("hot_buckets", "records", "events", "left_out", "pairs_verified", "statuses", "lake", "times"),
    "watermark_ms",  # of no events
    *("rule", "casefold", "normalise", "unit", "image_pixels", "seed", "min_agreeing_bands", "limits"),
    *("buckets", "crossfade", "clusters", "ok", "deleted", "not_json", "0f", "0", 0),  # one of many
}


def crossfade(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ, and the lake that they name."""
    here = tmp_path_factory.mktemp("malformed")
    values = [*records(), (0, 20, 2500, b"no json")]
    explained.make(SPEC, values, here / "a", here / "lake")
    head = {"head": "h", "channel": "", "numerator": 0, "denominator": 0}
    copy_run(here / "a", here / "b", "clusters", changed({"id": "h"}, **head))
    return here


@pytest.fixture(autouse=True)
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test does to the documents is undone."""
    monkeypatch.chdir(folder)
    before = {file: file.read_bytes() for file in (Path("b/manifest.json"), Path("lake/lake.json"))}
    yield
    for file, content in before.items():
        file.write_bytes(content)


def paths(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """The way to every field; of many that are alike, to the first."""
    if at:
        yield at
    keys: list[str | int] = list(value) if isinstance(value, dict) else [0] if isinstance(value, list) else []
    if at and at[-1] in ("digests", "versions", "seconds"):
        keys = keys[:1]
    if at == ("stages",):
        keys = ["items"]
    for key in keys if value else ():
        yield from paths(value[key], (*at, key))


def mutations(document: Any) -> Iterator[tuple[Path_, Any, Any]]:
    """(way, new value, the whole document with it)"""
    for way in paths(document):
        for value in VALUES:
            changed_document = copy.deepcopy(document)
            place = changed_document
            for step in way[:-1]:
                place = place[step]
            if value is GONE:
                del place[way[-1]]
            else:
                place[way[-1]] = value
            yield way, value, changed_document


def at(document: Any, way: Path_) -> Any:
    for step in way:
        document = document[step]
    return document


def alike(new: Any, old: Any) -> bool:
    return type(new) is type(old) or {type(new), type(old)} == {int, float}


@pytest.mark.parametrize(
    ("name", "commands", "mutants"), [("b/manifest.json", RUN, 1000), ("lake/lake.json", LAKE, 100)]
)
def test_every_field(name: str, commands: tuple[tuple[str, ...], ...], mutants: int) -> None:
    file = Path(name)
    document = orjson.loads(file.read_bytes())
    refused = 0
    for way, value, mutant in mutations(document):
        if mutant == document:
            continue
        file.write_text(json.dumps(mutant))
        try:
            open_run("b") if name.startswith("b") else read_lake(Path("lake"))
        except CrossfadeError as error:
            refused += 1
            assert name in str(error) and "\n" not in str(error), (way, value, str(error))
            continue
        if value is GONE:
            assert way[-1] in OPTIONAL, way
        else:
            assert alike(value, at(document, way)), (way, value)
        for command in commands if value in EXTREMES else ():
            shown = crossfade(*command)
            assert shown.exit_code in (0, 1, 2), (way, value, command, shown.output)
            assert shown.exit_code < 2 or shown.output.count("\n") == 1, (way, value, command, shown.output)
    assert refused > mutants


@pytest.mark.parametrize("name", ["b/manifest.json", "lake/lake.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b"[]",
        b'"\xff"',
        b"{}",
        b'{"format": NaN}',
        b"[" * 900 + b"]" * 900,
        b'{"format": 1e400}',
    ],
)
def test_what_is_no_document(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    for command in (
        ("inspect", str(Path(name).parent)),
        ("diff", "a", "b"),
        ("explain", "b", "--at", "b"),
    ):
        shown = crossfade(*command)
        assert shown.exit_code == 2 or (command[0] == "explain" and shown.exit_code == 0)
        assert shown.exit_code == 0 or (name in shown.output and shown.output.count("\n") == 1), shown.output


def forge(**changes: Any) -> None:
    manifest = orjson.loads(Path("b/manifest.json").read_bytes()) | changes
    manifest["contract_id"] = contract.id_of(manifest["contract"])
    Path("b/manifest.json").write_bytes(orjson.dumps(manifest))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (make_spec(make_channel()), "channels[0].minhash.permutations"),
        (make_spec(*SPEC["channels"], rule="components"), "clusters.rule: 'heads' against 'components'"),
        (make_spec(*SPEC["channels"], max_skew_ms=5), "times.max_skew_ms: null against 5"),
        (make_spec(*SPEC["channels"], make_channel("more")), "channels[1].bands.count: null against 2"),
    ],
)
def test_a_spec_that_is_not_its_contracts(spec: dict[str, Any], field: str) -> None:
    forge(spec=spec)
    with pytest.raises(SpecError) as caught:
        open_run("b")
    assert str(caught.value).startswith(
        "b/manifest.json: its spec is not the one that its contract stands for"
    )
    assert field in str(caught.value)


@pytest.mark.parametrize("stated", [{}, {"channels": [{}]}, {"channels": [{"parameters": 3}]}])
def test_a_contract_of_nothing_with_its_own_id(stated: dict[str, Any]) -> None:
    forge(contract=stated)
    with pytest.raises(SpecError, match=r"b/manifest\.json: its spec is not the one"):
        open_run("b")


def test_what_a_machine_adds_is_no_part_of_the_spec() -> None:
    """A run that was made with other data of Unicode, or by another version, is read."""
    stated = contract.contract(from_dict(SPEC))
    stated["semantics"] = 99
    stated["channels"][0]["unicode"] = "99.0.0"
    forge(contract=stated)
    assert open_run("b").contract_id == contract.id_of(stated)
    stated["channels"][0]["unicode"] = 99
    forge(contract=stated)
    with pytest.raises(SpecError, match="unicode: 99 against"):
        open_run("b")


def test_a_codebook_that_is_not_here() -> None:
    """Runs can be compared where their codebook is not; only what reads pictures needs it."""
    channel = make_channel(extractor="image.words", parameters={"codebook": "/nowhere/scans.npy"})
    spec = make_spec(channel) | {"limits": {"payload_bytes": 100, "image_pixels": 100}}
    stated = contract.contract(from_dict(spec | {"channels": [channel | {"parameters": {}}]}))
    stated["channels"][0]["parameters"]["codebook"] = "0" * 32
    forge(spec=spec, contract=stated)
    run = open_run("b")
    with pytest.raises(SpecError, match=r"the spec in b/manifest\.json cannot be used here: .*codebook"):
        _ = run.spec


def test_a_lake_whose_files_lie_past_its_fence() -> None:
    document = orjson.loads(Path("lake/lake.json").read_bytes())
    document["fence"]["offsets"] = {"0": 3}
    Path("lake/lake.json").write_bytes(orjson.dumps(document))
    with pytest.raises(SourceError, match="cannot hold the offsets 0 to 20 of partition 0 in a lake up to"):
        read_lake(Path("lake"))


@pytest.mark.parametrize("stage", ["items", "edges", "clusters"])
def test_a_damaged_page(stage: str, tmp_path: Path) -> None:
    """Its footer is whole, so only reading it shows that."""
    shutil.copytree("b", tmp_path / "c")
    file = tmp_path / "c" / stage / "part-0.parquet"
    data = bytearray(file.read_bytes())
    pages = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[4:pages] = bytes(pages - 4)
    file.write_bytes(data)
    shown = crossfade("inspect", str(tmp_path / "c"), "--verify")
    assert shown.exit_code == 2 and shown.output.count("\n") == 1 and str(file) in shown.output, shown.output
    if stage != "items":  # which evaluate does not read
        truth = tmp_path / "pairs.csv"
        truth.write_text("a,b\nb,h\n")
        shown = crossfade("evaluate", str(tmp_path / "c"), "--truth", str(truth))
        assert shown.exit_code == 2 and shown.output.count("\n") == 1, shown.output
        assert f"the rows of {stage} cannot be read" in shown.output


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda table: table.rename_columns(["shard", "name", *table.schema.names[2:]]),
            "id is not there, and in items it is string",
        ),
        (
            lambda table: table.set_column(10, "status", pa.array([1] * len(table))),
            "status is int64, and in items it is string",
        ),
        (lambda table: table.append_column("notes", table.column("id")), "'notes' is no column of items"),
        (
            lambda table: table.set_column(10, "status", pa.nulls(len(table), pa.string())),
            "rows without status",
        ),
        (
            lambda table: table.set_column(10, "status", pa.array([b"\xff"] * len(table)).view(pa.string())),
            "the rows of items cannot be read",
        ),
    ],
)
def test_rows_that_no_engine_writes(change: Callable[[pa.Table], pa.Table], says: str) -> None:
    file = Path("b/items/part-0.parquet")
    whole = file.read_bytes()
    table = pq.read_table(file)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), file)
    manifest = orjson.loads(Path("b/manifest.json").read_bytes())
    manifest["stages"]["items"]["files"][0]["bytes"] = file.stat().st_size
    Path("b/manifest.json").write_bytes(orjson.dumps(manifest))
    shown = crossfade("inspect", "b")
    file.write_bytes(whole)
    assert shown.exit_code == 2 and says in shown.output and shown.output.count("\n") == 1, shown.output


def test_a_strength_that_is_no_ratio(tmp_path: Path) -> None:
    copy_run(Path("a"), tmp_path / "c", "edges", changed({"later": "h"}, denominator=0))
    shown = crossfade("inspect", str(tmp_path / "c"))
    assert (
        shown.exit_code == 2 and "c: the strength of an edge is no ratio; the run is damaged" in shown.output
    )


def test_a_time_that_no_event_has(tmp_path: Path) -> None:
    copy_run(Path("a"), tmp_path / "c", "items", changed({"id": "h"}, event_time=-(2**63)))
    manifest = orjson.loads((tmp_path / "c" / "manifest.json").read_bytes())
    del manifest["input"]["lake"]  # which would say that it is another event's
    (tmp_path / "c" / "manifest.json").write_bytes(orjson.dumps(manifest))
    shown = crossfade("explain", "h", "--at", str(tmp_path / "c"))
    assert shown.exit_code == 1, shown.output
    assert "-9223372036854775808, which no event has" in " ".join(shown.output.split())
