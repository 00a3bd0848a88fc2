"""The markers of an unfinished backfill: one that is damaged is named, and removing it is enough."""

from pathlib import Path

import pytest

from batch.job import WORK, mark, open_work
from shared.errors import SourceError

STAGES = ["events", "winners", "ranks"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"contract_id": "c", "input": "i"}',
        b'{"contract_id": "c", "input": "i", "counts": 1, "seconds": 1}',
        b'{"contract_id": "c", "input": "i", "counts": {}, "seconds": 0.5, "sha256": "%s"}' % (b"ab" * 32),
    ],
)
def test_a_marker_that_is_damaged(value: bytes, tmp_path: Path) -> None:
    open_work(tmp_path / "run", "c", "i", STAGES)
    for stage in STAGES:
        mark(tmp_path / "run", stage, "c", "i", {"rows": 1}, 0.5)
    assert list(open_work(tmp_path / "run", "c", "i", STAGES)) == STAGES
    marker = tmp_path / "run" / WORK / "winners.json"
    marker.write_bytes(value)
    with pytest.raises(
        SourceError, match=r"run/_work/winners\.json.*; remove it, and the backfill does that"
    ):
        open_work(tmp_path / "run", "c", "i", STAGES)
    marker.unlink()
    assert list(open_work(tmp_path / "run", "c", "i", STAGES)) == ["events"]
