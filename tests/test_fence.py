"""Fences: what they say, and what is refused."""

import json
from pathlib import Path

import pytest

from shared.errors import SourceError
from shared.fence import Fence, read_fence

FENCE = Fence.at("cluster", "topic", {1: 7, 0: 12})


def test_a_fence_survives_json(tmp_path: Path) -> None:
    path = tmp_path / "fence.json"
    path.write_text(json.dumps(FENCE.to_json()))
    assert read_fence(path) == FENCE
    assert FENCE.offsets == ((0, 12), (1, 7))
    assert FENCE.describe() == "topic topic of cluster cluster at 0:12, 1:7"


@pytest.mark.parametrize(
    ("positions", "reached"),
    [({0: 12, 1: 7}, True), ({0: 13, 1: 9, 2: 0}, True), ({0: 11, 1: 7}, False), ({0: 12}, False)],
)
def test_a_fence_is_reached_at_or_past_every_offset(positions: dict[int, int], reached: bool) -> None:
    assert FENCE.reached(positions) is reached


def test_a_partition_without_records_is_reached_from_the_start() -> None:
    assert Fence.at("c", "t", {0: 0}).reached({})


def test_a_lake_means_its_fence(tmp_path: Path) -> None:
    (tmp_path / "lake.json").write_text(json.dumps({"format": 1, "fence": FENCE.to_json()}))
    assert read_fence(tmp_path) == FENCE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "needs exactly cluster, topic and offsets"),
        ('{"cluster": "c", "topic": "t"}', "needs exactly"),
        ('{"cluster": "c", "topic": "t", "offsets": {}, "more": 1}', "needs exactly"),
        ('{"cluster": 1, "topic": "t", "offsets": {}}', "must be strings"),
        ('{"cluster": "c", "topic": "t", "offsets": []}', "an object of partition"),
        ('{"cluster": "c", "topic": "t", "offsets": {"x": 1}}', "'x' is no partition"),
        ('{"cluster": "c", "topic": "t", "offsets": {"-1": 1}}', "'-1' is no partition"),
        ('{"cluster": "c", "topic": "t", "offsets": {"01": 1}}', "'01' is no partition"),
        ('{"cluster": "c", "topic": "t", "offsets": {"4294967296": 1}}', "'4294967296' is no partition"),
        ('{"cluster": "c", "topic": "t", "offsets": {"0": 9223372036854775808}}', "not 9223372036854775808"),
        ("[" * 1000 + "]" * 1000, "cannot be read as JSON"),
        ('{"cluster": "c", "topic": "t", "offsets": {"0": -1}}', "must be a whole number, 0 or more, not -1"),
        ('{"cluster": "c", "topic": "t", "offsets": {"0": 1.5}}', "not 1.5"),
        ('{"cluster": "c", "topic": "t", "offsets": {"0": true}}', "not true"),
    ],
)
def test_what_is_no_fence_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "fence.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=message) as raised:
        read_fence(path)
    assert str(path) in str(raised.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no fence file"):
        read_fence(tmp_path / "none.json")
    with pytest.raises(SourceError, match="is no lake"):
        read_fence(tmp_path)
