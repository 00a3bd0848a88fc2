"""Sources: every row, line and picture becomes an event value; what is broken keeps its place."""

import hashlib
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SourceError
from shared.source_events import ColumnOptions, event_key, event_value, event_values, line_values
from shared.sources import open_source
from tests.images import encode, scene

HERE = Path("/nowhere/rows.parquet")
TEXTS = ColumnOptions(text="text")


def events(array: pa.Array) -> list[Any]:
    return [orjson.loads(value) for value in array.to_pylist()]


def read(path: Path, columns: ColumnOptions) -> list[bytes]:
    return [value for batch in open_source(path, columns).batches for value in batch.to_pylist()]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for number, name in enumerate(["b.png", "a/z.PNG", "a/b/c.png", "ä ö.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encode(scene(number, 16, 12)))
        os.utime(root / name, ns=(0, (1_700_000_000_000 + number) * 1_000_000 + 999_999))
    (root / "notes.txt").write_text("not a picture")
    return root


def test_a_folder_of_pictures(pictures: Path) -> None:
    source = open_source(pictures, ColumnOptions())
    found = [event for batch in source.batches for event in events(batch)]
    assert (source.total, source.skipped) == (4, 1)
    assert [event["id"] for event in found] == ["a/b/c.png", "a/z.PNG", "b.png", "ä ö.png"]
    assert [event["event_time"] - 1_700_000_000_000 for event in found] == [2, 1, 0, 3]
    for event in found:
        path = pictures.resolve() / event["id"]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert event["payload"] == {"uri": str(path), "sha256": digest} and event["op"] == "upsert"


def test_a_relative_folder_gives_absolute_uris(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures.parent)
    value = orjson.loads(read(Path("pictures"), ColumnOptions(fixed_event_time=5))[0])
    assert value["payload"]["uri"] == str(pictures.resolve() / "a/b/c.png") and value["event_time"] == 5


def test_a_file_name_that_is_not_utf8_becomes_a_value_without_a_key(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"x")
    [value] = read(tmp_path, ColumnOptions())
    assert value.isascii() and event_key(value) == b""
    assert json.loads(value)["id"] == "\udcff.png"


BAD_SOURCES = {
    "absent": "does not exist",
    "rows.csv": "neither a folder nor",
    "empty": "holds no picture",
    "empty.jsonl": "is empty",
    "blank.jsonl": "is empty",
    "array.jsonl": "starts with an array",
    "text.parquet": "is not a readable Parquet file",
    "none.parquet": "has no rows",
    "other.jsonl": "none of the first 2 lines of .* has a member 'text'",
    "other.parquet": "has no column 'text' but id, event_time",
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_sources_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.txt").touch()
    for file, content in {
        "rows.csv": "id,text\n",
        "empty.jsonl": "",
        "blank.jsonl": "\n \r\n",
        "array.jsonl": '[{"id": "a"}]',
        "text.parquet": "id",
        "other.jsonl": 'broken\n{"id": "a", "event_time": 1, "txt": "x"}\n',
    }.items():
        (tmp_path / file).write_text(content)
    table = pa.table({"id": ["a"], "event_time": [1]})
    pq.write_table(table, tmp_path / "other.parquet")
    pq.write_table(table[:0], tmp_path / "none.parquet")
    with pytest.raises(SourceError, match=BAD_SOURCES[name]) as caught:
        read(tmp_path / name, ColumnOptions() if name == "empty" else TEXTS)
    assert name in str(caught.value) and "\n" not in str(caught.value)


LINES = [
    b'{"id": "a", "op": "upsert", "event_time": 1, "payload": {"text": "x"}}',
    b"{broken",
    b"\xff\xfe",
    b'"a string"',
    b"[1, 2]",
    b"null",
    b'{"id": "b"}  ',
]


def test_complete_lines_pass_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(LINES) + b"\r\n\n   \n" + LINES[0])
    assert read(path, ColumnOptions()) == [*LINES, LINES[0]]


def test_rows_of_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b'{"key": 7, "at": 1700000000000, "body": "one", "extra": [1]}\n'
        b"{broken\n"
        b'{"key": "b", "at": "yesterday", "body": "two", "what": "delete"}\n'
        b'{"body": "neither id nor time"}\n'
        b'{"key": "d", "at": 5}\n'
        b'{"key": "e", "at": 6, "body": null, "what": "upsert"}\n'
    )
    columns = ColumnOptions(id="key", event_time="at", op="what", text="body")
    values = read(path, columns)
    assert values[1] == b"{broken"
    assert [orjson.loads(value) for value in values[:1] + values[2:]] == [
        {"id": "7", "op": "upsert", "event_time": 1_700_000_000_000, "payload": {"text": "one"}},
        {"id": "b", "op": "delete", "event_time": "yesterday"},
        {"op": "upsert", "payload": {"text": "neither id nor time"}},
        {"id": "d", "op": "upsert", "event_time": 5},
        {"id": "e", "op": "upsert", "event_time": 6, "payload": {"text": None}},
    ]
    assert [event_key(value) for value in values] == [b"7", b"", b"b", b"", b"d", b"e"]


def test_batches_of_many_lines_keep_order_and_number(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(event_value(f"i{n}", "upsert", n) + b"\n" for n in range(5001)))
    assert [event_key(value) for value in read(path, ColumnOptions())] == [b"i%d" % n for n in range(5001)]


def test_texts_of_a_table() -> None:
    table = pa.table(
        {
            "id": pa.array(["a", "ü", None, "d"]),
            "event_time": pa.array([1, None, 3, -4], pa.int64()),
            "text": pa.array(["x", None, "z", "w"], pa.large_string()),
            "op": pa.array(["upsert", "upsert", "upsert", "delete"]).dictionary_encode(),
        }
    )
    assert events(event_values(table, ColumnOptions(text="text", op="op"), HERE)) == [
        {"id": "a", "op": "upsert", "event_time": 1, "payload": {"text": "x"}},
        {"id": "ü", "op": "upsert", "event_time": None, "payload": {"text": None}},
        {"id": None, "op": "upsert", "event_time": 3, "payload": {"text": "z"}},
        {"id": "d", "op": "delete", "event_time": -4},
    ]


@pytest.mark.parametrize("payload", ["text", "vector", "uri"])
def test_columns_without_any_value_lose_no_row(payload: str) -> None:
    table = pa.table({"id": [None], "event_time": [None], payload: [None]})
    options: dict[str, Any] = {payload: payload}
    [event] = events(event_values(table, ColumnOptions(**options), HERE))
    assert event["id"] is event["event_time"] is event["payload"][payload] is None


def test_bytes_that_are_not_utf8_lose_no_row() -> None:
    table = pa.table({"id": ["a", "b"], "event_time": [1, 2], "text": pa.array([b"ok", b"\xff"])})
    values = event_values(table, TEXTS, HERE).to_pylist()
    assert orjson.loads(values[0])["payload"] == {"text": "ok"}
    assert json.loads(values[1])["payload"] == {"text": "\udcff"}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pa.array([1_700_000_000_123], pa.timestamp("ms")), 1_700_000_000_123),
        (pa.array([1_700_000_000], pa.timestamp("s", "Europe/Paris")), 1_700_000_000_000),
        (pa.array([-1], pa.timestamp("ns")), -1),
        (pa.array([1_999], pa.timestamp("us", "UTC")), 1),
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)]), 1_704_067_200_000),
        (pa.array([date(2024, 1, 1)]), 1_704_067_200_000),
        (pa.array([7], pa.uint16()), 7),
        (pa.array([2**63 + 1], pa.uint64()), 2**63 + 1),
    ],
)
def test_times(times: pa.Array, expected: int) -> None:
    table = pa.table({"id": ["a"], "event_time": times, "text": ["x"]})
    assert events(event_values(table, TEXTS, HERE))[0]["event_time"] == expected


@given(st.lists(st.lists(st.floats(width=32), max_size=5), max_size=5))
def test_vectors_keep_every_bit(vectors: list[list[float]]) -> None:
    columns = ColumnOptions(vector="vector", fixed_event_time=9)
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64())):
        table = pa.table({"id": ["a"] * len(vectors), "vector": pa.array(vectors, kind)})
        for vector, event in zip(vectors, events(event_values(table, columns, HERE)), strict=True):
            assert event["event_time"] == 9
            assert event["payload"]["vector"] == [x if np.isfinite(x) else None for x in vector]


def test_uris_without_a_digest_are_read_and_relative_ones_start_at_the_source(pictures: Path) -> None:
    source = pictures / "rows.parquet"
    uris = ["b.png", str(pictures / "a" / "z.PNG"), "gone.png", None, "http://169.254.169.254/x"]
    table = pa.table({"id": list("abcde"), "event_time": range(5), "uri": uris})
    first, second, *others = events(event_values(table, ColumnOptions(uri="uri"), source))
    for event, name in ((first, "b.png"), (second, "a/z.PNG")):
        path = pictures.resolve() / name
        assert Path(event["payload"]["uri"]).resolve() == path
        assert event["payload"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [set(event["payload"]) for event in (others[0], others[2])] == [{"uri"}, {"uri"}]


@pytest.mark.parametrize("digests", [pa.array([bytes(range(32))]), pa.array([bytes(range(32)).hex()])])
def test_a_digest_column_is_believed_and_nothing_is_read(digests: pa.Array) -> None:
    table = pa.table({"id": ["a"], "event_time": [1], "uri": ["/gone.png"], "digest": digests})
    [event] = events(event_values(table, ColumnOptions(uri="uri", sha256="digest"), HERE))
    assert event["payload"] == {"uri": "/gone.png", "sha256": bytes(range(32)).hex()}


BAD_COLUMNS: list[tuple[dict[str, Any], ColumnOptions, str]] = [
    ({"id": [1.5], "event_time": [1], "text": ["x"]}, TEXTS, "column 'id' of .* is of type double"),
    ({"id": ["a"], "event_time": [1.5], "text": ["x"]}, TEXTS, "'event_time' .* integer milliseconds or"),
    ({"id": ["a"], "event_time": ["1"], "text": ["x"]}, TEXTS, "'event_time' .* type string"),
    ({"id": ["a"], "event_time": [1], "text": [5]}, TEXTS, "'text' .* must be string or binary"),
    ({"id": ["a"], "event_time": [1], "v": ["x"]}, ColumnOptions(vector="v"), "must be a list of numbers"),
    ({"id": ["a"], "event_time": [1], "v": [["x"]]}, ColumnOptions(vector="v"), "must be a list of numbers"),
    ({"id": ["a"], "text": ["x"]}, TEXTS, "no column 'event_time'"),
    ({"id": ["a"], "text": ["x"]}, ColumnOptions(), "name the column of the payload"),
]


@pytest.mark.parametrize(("columns", "options", "sentence"), BAD_COLUMNS)
def test_columns_of_the_wrong_type(columns: dict[str, Any], options: ColumnOptions, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        event_values(pa.table(columns), options, HERE)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(SourceError, match="only one"):
        ColumnOptions(text="a", vector="b")
    with pytest.raises(SourceError, match="goes with a uri column"):
        ColumnOptions(text="a", sha256="b")


def test_options_that_the_source_has_no_use_for(pictures: Path) -> None:
    with pytest.raises(SourceError, match="folder of pictures, which has no column 'text'"):
        open_source(pictures, TEXTS)
    (pictures / "events.jsonl").write_bytes(LINES[0])
    with pytest.raises(SourceError, match="complete events, whose times are their own"):
        open_source(pictures / "events.jsonl", ColumnOptions(fixed_event_time=1))


def test_parquet_in_parts_and_complete_events(tmp_path: Path) -> None:
    for part, ids in enumerate((["a", "b"], ["c"])):
        table = pa.table({"value": [event_value(name, "delete", 1) for name in ids], "other": ids})
        pq.write_table(table, tmp_path / f"part-{part}.parquet")
    source = open_source(tmp_path, ColumnOptions())
    assert source.total == 3
    assert [event_key(v) for batch in source.batches for v in batch.to_pylist()] == [b"a", b"b", b"c"]


@given(st.binary(max_size=20))
def test_a_key_can_be_asked_of_anything(value: bytes) -> None:
    assert isinstance(event_key(value), bytes)
    assert line_values([value], ColumnOptions(), HERE).to_pylist() == [value]


def test_integers_beyond_64_bits_stay_what_they_are() -> None:
    assert json.loads(event_value("a", "upsert", 2**70))["event_time"] == 2**70
