"""`crossfade publish`: everything of a source is in the log, in order, under its id."""

import json
from pathlib import Path

import orjson
from click.testing import CliRunner, Result

from cli.main import main
from shared.source_events import ColumnOptions
from shared.sources import open_source
from stream.logs.open import open_reader, open_writer
from stream.logs.settings import KafkaSettings
from stream.publish import publish
from tests.conftest import Logs
from tests.images import encode, scene


def rows(address: str, settings: KafkaSettings) -> list[tuple[bytes, bytes]]:
    reader = open_reader(address, settings)
    found: list[tuple[bytes, bytes]] = []
    while len(batch := reader.poll(1000, 1.0)):
        found += zip(batch.column("key").to_pylist(), batch.column("value").to_pylist(), strict=True)
    reader.close()
    return found


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["publish", *map(str, arguments)])


def test_every_line_is_in_every_kind_of_log(logs: Logs, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [b'{"id": "%d", "op": "delete", "event_time": 1}' % number for number in range(4500)]
    lines[17] = b"{broken"
    path.write_bytes(b"\n".join(lines))
    topic = logs.topic("items", partitions=3)
    writer = open_writer(topic, logs.settings)
    steps: list[int] = []
    result = publish(open_source(path, ColumnOptions()), writer, topic, steps.append)
    writer.close()
    found = rows(topic, logs.settings)
    assert sorted(value for _, value in found) == sorted(lines)
    assert dict(found)[b""] == b"{broken" and dict(found)[b"42"] == lines[42]
    assert (result.records, result.without_id, result.skipped) == (4500, 1, 0)
    assert sum(result.partitions.values()) == 4500 and len(result.partitions) == 3
    assert steps == [2000, 4000, 4500]


def test_a_folder_through_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode(scene(number, 16, 12)))
    (folder / "read.me").touch()
    topic = f"file:{tmp_path / 'items'}"
    result = run(folder, "--topic", topic, "--event-time", "2024-01-01T00:00:00", "--partitions", 2, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["records"], summary["skipped"], summary["created"]) == (3, 1, True)
    found = dict(rows(topic, KafkaSettings()))
    assert set(found) == {b"0.png", b"1.png", b"2.png"}
    assert {orjson.loads(value)["event_time"] for value in found.values()} == {1_704_067_200_000}


def test_mapped_columns_and_the_summary(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"doc": "a", "t": 5, "body": "one"}\nbroken\n')
    topic = f"file:{tmp_path / 'items'}"
    options = ["--id-column", "doc", "--text-column", "body", "--event-time-column", "t"]
    result = run(path, "--topic", topic, *options)
    assert result.exit_code == 0, result.output
    assert "published 2 records" in result.stdout and "1 of them have no readable id" in result.stdout
    assert orjson.loads(dict(rows(topic, KafkaSettings()))[b"a"])["payload"] == {"text": "one"}


def test_what_cannot_be_published_creates_no_topic(tmp_path: Path) -> None:
    topic = f"file:{tmp_path / 'items'}"
    for arguments in ([tmp_path / "absent"], [tmp_path / "rows.jsonl", "--event-time", "soon"]):
        result = run(*arguments, "--topic", topic)
        assert result.exit_code == 2 and not (tmp_path / "items").exists()
