"""Bad input through the commands: each has its reason or its sentence, and nothing beside it is lost."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from shared.run import Run
from stream.clusters_topic import REASON
from stream.logs.open import open_reader
from stream.logs.settings import KafkaSettings
from tests.acceptance.commands import ROOT, BothRuns, assert_parity, crossfade, succeed, through_both
from tests.conftest import Logs
from tests.hostile_images import HUGE
from tests.images import encode, recompressed, scene, uniform

pytestmark = pytest.mark.spark

TEXT = "a sentence of some length, which both engines read and of which there is a second copy beside it"


def event(item: object, payload: object = None, **members: object) -> bytes:
    body = {"id": item, "op": "upsert", "event_time": 1_000, "payload": payload or {"text": TEXT}}
    return json.dumps(body | members).encode()


def without(member: str) -> bytes:
    body = json.loads(event("x"))
    del body[member]
    return json.dumps(body).encode()


DEAD = [
    ("not_json", b'{"id": "x", "op": "upsert", "event_time": 1'),
    ("not_json", b"\xff\xfe not even UTF-8"),
    ("not_json", b"[1, 2, 3]"),
    *[("missing_field", without(member)) for member in ("id", "op", "event_time")],
    ("id_invalid", event("")),
    ("id_invalid", event(7)),
    ("id_too_long", event("é" * 513)),
    ("op_unknown", event("x", op="replace")),
    *[("event_time_invalid", event("x", event_time=time)) for time in ("yesterday", 1.5, True, None, 2**60)],
]
STATUSES = {
    "a good one": ("ok", event("a good one")),
    "its copy": ("ok", event("its copy")),
    "as long as an id may be " + "x" * 1_000: ("ok", event("as long as an id may be " + "x" * 1_000)),
    "no words": ("no_features", event("no words", {"text": "... !"})),
    "no payload": ("payload_invalid", event("no payload", {"other": 1})),
    "two payloads": ("payload_invalid", event("two payloads", {"text": TEXT, "vector": [1]})),
    "a vector": ("payload_invalid", event("a vector", {"vector": [1.0, 2.0]})),
    "too long": ("payload_too_large", event("too long", {"text": "x" * (2**20 + 1)})),
    "gone": ("deleted", event("gone", op="delete")),
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> BothRuns:
    """Every bad record between good ones, through both engines."""
    logs = Logs("file", KafkaSettings(), tmp_path_factory.mktemp("texts"))
    good = [line for _, line in STATUSES.values()]
    lines = [line for pair in zip(DEAD, good * 2, strict=False) for line in (pair[0][1], pair[1])]
    assert set(good) | {line for _, line in DEAD} == set(lines)
    source = logs.folder / "events.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    return through_both(logs, "text", source)


def test_what_is_no_event_is_a_dead_letter_with_its_reason(texts: BothRuns) -> None:
    assert_parity(texts)
    expected = dict(Counter(reason for reason, _ in DEAD))
    for run in (texts.batch, texts.stream):
        assert run.manifest["counts"]["dead_letters"] == expected
    topic = open_reader(f"file:{texts.folder / 'clusters.dead'}", KafkaSettings())
    letters = [(m.headers[REASON].decode(), m.value) for m in topic.messages_until(topic.end_offsets())]
    topic.close()
    assert sorted(letters) == sorted(DEAD)  # the original bytes


def test_events_that_cannot_be_used_are_items_with_a_status(texts: BothRuns) -> None:
    for run in (texts.batch, texts.stream):
        assert statuses(run) == {item: status for item, (status, _) in STATUSES.items()}
        heads = {row["id"]: row["head"] for row in run.read("clusters").to_pylist()}
        good = {item for item, (status, _) in STATUSES.items() if status == "ok"}
        assert heads == dict.fromkeys(good, "a good one") | {"no words": "no words"}


@pytest.fixture
def other_spec(tmp_path: Path) -> Path:
    """The preset with another threshold."""
    preset = (ROOT / "shared" / "presets" / "text.toml").read_text("utf-8")
    assert 'threshold = "0.7"' in preset
    path = tmp_path / "other.toml"
    path.write_text(preset.replace('threshold = "0.7"', 'threshold = "0.8"'))
    return path


def test_another_contract_is_refused_by_topic_state_and_run(
    texts: BothRuns, other_spec: Path, tmp_path: Path
) -> None:
    mine, other = texts.batch.contract_id, contract_of(other_spec)
    topic, clusters = f"file:{texts.folder / 'items'}", f"file:{texts.folder / 'clusters'}"
    consume = ("consume", "--spec", other_spec, "--topic", topic, "--until-end")
    before = files(texts.folder)

    refused = refuse(*consume, "--state", tmp_path / "new", "--output", clusters)
    assert mine in refused and other in refused and "clusters" in refused and "--output" in refused
    refused = refuse(*consume, "--state", texts.state, "--output", f"file:{tmp_path / 'elsewhere'}")
    assert mine in refused and other in refused and "the state" in refused and "threshold" in refused
    refused = refuse("backfill", "--spec", other_spec, "--input", texts.lake, "--output", texts.batch.path)
    assert str(texts.batch.path) in refused

    succeed(*consume, "--state", tmp_path / "state", "--output", f"file:{tmp_path / 'clusters'}")
    succeed("export", "--state", tmp_path / "state", "--output", tmp_path / "run")
    refused = refuse("diff", texts.batch.path, tmp_path / "run")
    assert mine in refused and other in refused and "threshold" in refused

    after = files(texts.folder)
    assert before.items() <= after.items()  # nothing was lost: all is as it was,
    succeed("export", "--state", texts.state, "--output", tmp_path / "again", "--fence", texts.lake)
    succeed("diff", texts.batch.path, tmp_path / "again")  # and goes on as it was


def make_pictures(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """(id, status, event) of good pictures and of every kind of bad ones."""
    good = scene(1, 320, 240)
    pictures = {
        "good.jpg": ("ok", encode(good, "JPEG", quality=90)),
        "good-again.jpg": ("ok", encode(recompressed(good), "JPEG", quality=60)),
        "another.png": ("ok", encode(scene(2, 320, 240))),
        "truncated.jpg": ("image_invalid", encode(good, "JPEG")[:2_000]),
        "truncated.png": ("image_invalid", encode(good)[:2_000]),
        "empty.jpg": ("image_invalid", b""),
        "text.jpg": ("image_invalid", b"this is no picture\n"),
        "1x1.png": ("no_features", encode(scene(3)[:1, :1])),
        "uniform.png": ("no_features", encode(uniform())),
        "huge.png": ("image_too_large", HUGE["png"]),
        "huge.jpg": ("image_too_large", HUGE["jpeg"]),
        "changed.png": ("payload_changed", encode(scene(4))),
    }
    for name, (status, data) in pictures.items():
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data + (b"!" if status == "payload_changed" else b"")).hexdigest()
        yield name, status, event(name, {"uri": str(folder / name), "sha256": digest})
    digest = hashlib.sha256(b"").hexdigest()
    for uri in (f"{folder}/not-there.png", str(folder), "http://169.254.169.254/a.png", "relative.png"):
        yield uri, "uri_not_found", event(uri, {"uri": uri, "sha256": digest})
    yield "no digest", "payload_invalid", event("no digest", {"uri": str(folder / "good.jpg")})
    yield "a text", "payload_invalid", event("a text")


def test_pictures_that_cannot_be_used_have_their_status_in_both_engines(
    tmp_path: Path, spark: SparkSession
) -> None:
    (tmp_path / "pictures").mkdir()
    made = list(make_pictures(tmp_path / "pictures"))
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"".join(line + b"\n" for *_, line in made))
    runs = through_both(Logs("file", KafkaSettings(), tmp_path), "photos-small", source)
    assert_parity(runs)
    expected = {item: status for item, status, _ in made}
    for run in (runs.batch, runs.stream):
        assert statuses(run) == expected
        assert run.manifest["counts"]["statuses"] == Counter(expected.values())
        heads = {row["id"]: row["head"] for row in run.read("clusters").to_pylist()}
        assert heads["good.jpg"] == heads["good-again.jpg"] != heads["another.png"]
        usable = {item for item, status in expected.items() if status in ("ok", "no_features")}
        assert heads.keys() == usable


def statuses(run: Run) -> dict[str, str]:
    return {row["id"]: row["status"] for row in run.read("items").to_pylist()}


def contract_of(spec: Path) -> str:
    shown: dict[str, Any] = json.loads(succeed("spec", "show", spec, "--json").output)
    return str(shown["contract_id"])


def refuse(*arguments: object) -> str:
    """Run a command that must end with status 2; the one sentence it says."""
    result = crossfade(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("crossfade: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def files(folder: Path) -> dict[str, bytes]:
    """What lies under the log's, lake's and runs' folders."""
    parts = ("items", "clusters", "clusters.dead", "lake", "batch", "stream")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in parts
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }
