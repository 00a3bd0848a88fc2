"""Any history less one record: whatever follows from it, diff charges it to events and to nothing else."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.diff import diff
from parity.result import Result
from shared.run import STAGES, open_run
from shared.spec import Spec, from_dict
from tests import runs
from tests.histories import History, histories, random_history
from tests.oracle import expect


def rows_of(history: History) -> tuple[runs.Rows, Spec]:
    """What the oracle says of a history, as a run's rows, and its spec."""
    expected = expect(history.spec, history.records)
    rows: runs.Rows = {name: [] for name in STAGES}
    for name, row in expected.items.items():
        known = {key: row[key] for key in ("op", "event_time", "version_time", "effective_time", "status")}
        known |= {key: row[key] for key in ("partition", "offset", "append_time")}
        rows["items"].append(runs.item(name, digest=bytes.fromhex(row["digest"])) | known)
    for (name, channel), values in expected.signatures.items():
        rows["signatures"].append(runs.signature(name, *values) | {"channel": channel})
    for name, (entries, trace) in expected.buckets.items():
        rows["buckets"].append({"id": name, "entries": entries, "trace": trace})
    for name, (pairs, trace) in expected.candidates.items():
        rows["candidates"].append({"id": name, "pairs": pairs, "trace": trace})
    for (name, channel), record in expected.records.items():
        rows["verification"].append({"id": name, "channel": channel, "record": record})
    for (earlier, later), match in expected.edges.items():
        rows["edges"].append(runs.edge(earlier, later) | dict(zip(runs.MATCH, match, strict=True)))
    for name, (head, channel, *ratio) in expected.clusters.items():
        strength = dict(zip(runs.MATCH, (channel, *ratio), strict=True))
        rows["clusters"].append(runs.member(name, head) | strength)
    return rows, from_dict(history.spec)


def run_of(history: History, path: Path) -> Path:
    return runs.write(path, *rows_of(history))


def lose(history: History, at: int) -> Result:
    records = history.records[:at] + history.records[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        a = run_of(history, Path(folder) / "a")
        b = run_of(History(history.spec, records), Path(folder) / "b")
        return diff(open_run(a), open_run(b))


def check(result: Result) -> None:
    assert {count.cause for count in result.causes if count.total} <= {"event"}
    rows = sum(stage.rows_differ for stage in result.stages)
    assert rows == sum(count.total + count.explains for count in result.causes)  # each row once


@settings(max_examples=60)
@given(histories(), st.data())
def test_a_lost_record_is_the_only_cause(history: History, data: st.DataObject) -> None:
    if history.records:
        check(lose(history, data.draw(st.integers(0, len(history.records) - 1))))


@pytest.mark.parametrize("seed", [7, 10, 53])  # 53: draws shift in many buckets
def test_seeded_histories(seed: int) -> None:
    history = random_history(seed)
    found = [lose(history, at) for at in range(0, len(history.records), 3)]
    for result in found:
        check(result)
    explained = [result.causes[0].explains for result in found]
    assert sum(n > 2 for n in explained) >= 3  # or else there was nothing to charge
