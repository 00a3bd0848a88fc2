"""Every fault of the library is caught, at its first stage, its roots counted once (docs/faults.md)."""

from pathlib import Path

import pytest

from bench.faults import harness
from bench.faults.code import CODE_FAULTS
from bench.faults.state import STATE_FAULTS
from parity.faults import MODES, REFUSED, RUN_FAULTS, Fault
from parity.result import CAUSES
from stream.stores.memory import MemoryStore

# One or two of every stage; the others run with `make test-deep` and `python -m bench.faults`.
QUICK = {
    "an event is dropped",
    "a broker's clock is ahead",
    "the limit of a payload is one byte less",
    "another normaliser",
    "two permutations swapped",
    "bands and rows exchanged",
    "the near draws are one too few",
    "priority: ties broken the other way",
    "> in place of >=",
    "the head check is skipped",
    "members of a deleted head keep it",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> harness.Base:
    """Run A is a stream's too; `python -m bench.faults` has Spark's."""
    folder = tmp_path_factory.mktemp("faults")
    return harness.make_base(folder, lambda lake, output: harness.stream(MemoryStore(), output, lake))


def judge(base: harness.Base, fault: Fault, folder: Path) -> None:
    found = harness.attempt(base, fault, folder)
    assert found.right, found


@pytest.mark.parametrize("fault", RUN_FAULTS, ids=lambda fault: fault.name)
def test_faults_in_a_runs_files(base: harness.Base, fault: Fault, tmp_path: Path) -> None:
    judge(base, fault, tmp_path)


@pytest.mark.parametrize("fault", STATE_FAULTS, ids=lambda fault: fault.name)
def test_faults_in_a_live_state(base: harness.Base, fault: Fault, tmp_path: Path) -> None:
    judge(base, fault, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name, marks=[] if fault.name in QUICK else [pytest.mark.slow])
        for fault in CODE_FAULTS
    ],
)
def test_faults_in_code(base: harness.Base, fault: Fault, tmp_path: Path) -> None:
    judge(base, fault, tmp_path)


def test_the_library_is_whole() -> None:
    faults = [*RUN_FAULTS, *STATE_FAULTS, *CODE_FAULTS]
    assert len({fault.name for fault in faults}) == len(faults) >= 60
    assert len(STATE_FAULTS) + len(CODE_FAULTS) >= 20
    assert {fault.stage for fault in faults} == {*CAUSES, REFUSED, "lake"}
    assert {fault.mode for fault in faults} == set(MODES)
    assert {fault.name for fault in CODE_FAULTS} >= QUICK


def test_without_a_fault_nothing_is_caught(base: harness.Base, tmp_path: Path) -> None:
    found = harness.attempt(base, Fault("none", "run", "match", "wrong", lambda runs: None), tmp_path)
    assert not found.caught_by and not found.right
