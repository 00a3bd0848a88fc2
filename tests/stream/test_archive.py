"""From a log to a lake and on: nothing lost, nothing twice, whatever happens in between."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from kafka import KafkaAdminClient, TopicPartition

from shared.durable import locked
from shared.errors import CrossfadeError, SourceError
from shared.fence import Fence, read_fence
from shared.lake import lake_tables, read_lake
from shared.records import RECORD_SCHEMA
from stream import archive as archiving
from stream.archive import Archived, archive
from stream.logs.file_topic import create_topic
from stream.logs.file_writer import FileWriter
from stream.logs.open import open_reader, open_transactional_writer
from stream.logs.protocol import OutMessage
from stream.logs.settings import KafkaSettings
from tests.conftest import Logs
from tests.stream.test_logs import RECORDS, append, read_all

CRASH = """
import os, sys
from pathlib import Path
from stream import archive as module
from stream.logs.file_reader import FileReader

topic, lake, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
module.FLUSH_ROWS, module._POLL_ROWS = 20, 10
done = 0

def counted(function):
    def step_or_die(*arguments):
        global done
        done += 1
        if done == step:
            os._exit(9)
        return function(*arguments)
    return step_or_die

for name in ("write_lake_file", "write_lake"):
    setattr(module, name, counted(getattr(module, name)))
module.archive(FileReader(topic), lake)
print("done after", done)
"""


def run(logs: Logs, topic: str, lake: Path, until: Fence | None = None) -> Archived:
    reader = open_reader(topic, logs.settings)
    try:
        return archive(reader, lake, until)
    finally:
        reader.close()


def rows(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: (row["partition"], row["offset"]))


def lake_rows(folder: Path) -> list[dict[str, object]]:
    lake = read_lake(folder)
    assert lake is not None
    return rows(pa.concat_tables([RECORD_SCHEMA.empty_table(), *lake_tables(folder, lake)]))


def log_rows(logs: Logs, topic: str) -> list[dict[str, object]]:
    reader = open_reader(topic, logs.settings)
    try:
        return rows(read_all(reader))
    finally:
        reader.close()


def test_a_lake_follows_its_log(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "FLUSH_ROWS", 30)
    monkeypatch.setattr(archiving, "_POLL_ROWS", 17)
    topic, lake = logs.topic("items", partitions=3), tmp_path / "lake"
    assert run(logs, topic, lake).records == 0
    for start in (0, 60, 60, 100):
        append(logs, topic, RECORDS[start : start + 60])
        done = run(logs, topic, lake)
        assert done.records == len(RECORDS[start : start + 60])
        assert done.fence == read_fence(lake)
        assert lake_rows(lake) == log_rows(logs, topic)
    found = read_lake(lake)
    assert found is not None
    assert sum(file.rows for file in found.files) == 140
    for file in found.files:
        assert (lake / file.path).stat().st_size == file.bytes
        assert file.path.startswith(f"partition={file.partition}/{file.base:020d}-{file.end:020d}")


def test_an_archive_stops_at_the_fence(logs: Logs, tmp_path: Path) -> None:
    topic, lake = logs.topic("items", partitions=1), tmp_path / "lake"
    append(logs, topic, RECORDS)
    reader = open_reader(topic, logs.settings)
    fence = reader.identity.fence({0: 42})
    reader.close()
    assert run(logs, topic, lake, fence).records == 42
    assert read_fence(lake) == fence
    assert [row["offset"] for row in lake_rows(lake)] == list(range(42))
    assert run(logs, topic, lake, fence).records == 0
    assert run(logs, topic, lake).records == 58
    with pytest.raises(SourceError, match="already past the fence"):
        run(logs, topic, lake, fence)
    too_far = Fence.at(fence.cluster, fence.topic, {0: 101})
    with pytest.raises(SourceError, match="does not go that far"):
        run(logs, topic, lake, too_far)
    assert lake_rows(lake) == log_rows(logs, topic)


def test_transactions_are_archived_without_their_markers(logs: Logs, tmp_path: Path) -> None:
    source, topic, lake = logs.topic("source"), logs.topic("items"), tmp_path / "lake"
    writer = open_transactional_writer(source, "g", logs.settings)
    writer.start()
    for _ in range(2):
        writer.commit([OutMessage(topic, key, value) for key, value in RECORDS], {0: 1})
        run(logs, topic, lake)
    writer.close()
    reader = open_reader(topic, logs.settings)
    assert read_fence(lake).positions() == reader.end_offsets()
    reader.close()
    assert lake_rows(lake) == log_rows(logs, topic)
    assert len(lake_rows(lake)) == 200


def test_another_log_is_refused(logs: Logs, tmp_path: Path) -> None:
    topic, other, lake = logs.topic("items"), logs.topic("others"), tmp_path / "lake"
    append(logs, topic, RECORDS)
    run(logs, topic, lake)
    before = lake_rows(lake)
    with pytest.raises(SourceError, match=r"the lake .* belongs to another log"):
        run(logs, other, lake)
    with pytest.raises(SourceError, match="the fence belongs to another log"):
        run(logs, other, tmp_path / "new", read_fence(lake))
    assert lake_rows(lake) == before


def test_one_archive_at_a_time(logs: Logs, tmp_path: Path) -> None:
    topic, lake = logs.topic("items"), tmp_path / "lake"
    with (
        locked(lake / ".lock", "the lake"),
        pytest.raises(CrossfadeError, match="another process uses the lake"),
    ):
        run(logs, topic, lake)


def test_a_crash_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    logs = Logs("file", KafkaSettings(), tmp_path)
    topic = logs.address("items")
    create_topic(topic, 2)
    FileWriter().append(topic, RECORDS)
    expected = log_rows(logs, topic)
    step = 0
    while True:
        step += 1
        lake = tmp_path / f"lake-{step}"
        command = [sys.executable, "-c", CRASH, topic, str(lake), str(step)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            break
        assert result.returncode == 9, result.stderr
        kept = sum(file.rows for file in found.files) if (found := read_lake(lake)) else 0
        done = archive(open_reader(topic, logs.settings), lake)
        assert kept + done.records == len(RECORDS)
        assert lake_rows(lake) == expected
        # Nothing lies beside the lake that a careless reader could take for a part of it.
        assert (after := read_lake(lake)) is not None
        assert {f.path for f in after.files} == {
            p.relative_to(lake).as_posix() for p in lake.rglob("partition=*/*")
        }
    # At least two flushes, each of several files and lake.json.
    assert step >= 6


def test_a_damaged_lake_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake.json").write_text("{")
    with pytest.raises(SourceError, match=r"lake\.json cannot be read"):
        read_lake(tmp_path)
    (tmp_path / "lake.json").write_text('{"format": 99}')
    with pytest.raises(SourceError, match="has format 99; this version reads 1"):
        read_lake(tmp_path)
    (tmp_path / "lake.json").write_text('{"format": 1, "topic": "t", "files": [{"path": 1}], "fence": {}}')
    with pytest.raises(SourceError, match="is damaged"):
        read_lake(tmp_path)


@pytest.mark.kafka
def test_records_that_retention_dropped_are_told(kafka_logs: Logs, tmp_path: Path) -> None:
    topic, old, new = kafka_logs.topic("items", partitions=1), tmp_path / "old", tmp_path / "new"
    append(kafka_logs, topic, RECORDS[:10])
    fence = run(kafka_logs, topic, old).fence
    append(kafka_logs, topic, RECORDS[10:])
    admin = KafkaAdminClient(bootstrap_servers=kafka_logs.settings.bootstrap_servers)
    admin.delete_records({TopicPartition(topic, 0): 30})
    admin.close()
    done = run(kafka_logs, topic, new)
    assert (done.records, done.dropped) == (70, 30)
    with pytest.raises(SourceError, match="no longer in the log"):
        run(kafka_logs, topic, old)
    assert read_fence(old) == fence
    with pytest.raises(SourceError, match="starts at offset 30, after 10"):
        run(kafka_logs, topic, tmp_path / "third", fence)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    topic, lake = f"file:{tmp_path}/items", tmp_path / "lake"
    create_topic(topic, 2)
    FileWriter().append(topic, RECORDS)

    def crossfade(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from cli.main import main; main()", "archive", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    first = crossfade("--topic", topic, "--lake", str(lake), "--json")
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert (summary["records"], summary["files"]) == (100, 2)
    assert summary["fence"] == read_fence(lake).to_json()
    second = crossfade("--topic", topic, "--lake", str(lake), "--until", str(lake))
    assert second.stdout.startswith(f"{lake}: 0 records in 0 files")
    assert second.stderr == ""
    missing = crossfade("--topic", f"file:{tmp_path}/none", "--lake", str(lake))
    assert missing.returncode == 2
    assert missing.stdout == ""
    assert missing.stderr.count("\n") == 1
    assert "there is no topic" in missing.stderr
