"""Every fault of the library is caught, at its first stage, its roots counted once (docs/faults.md)."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bench.faults import harness
from bench.faults.code import CODE_FAULTS, PICTURE_CODE_FAULTS
from bench.faults.late import try_late
from bench.faults.pairs import pairs_of, try_pairs
from bench.faults.pictures import pictures
from bench.faults.state import STATE_FAULTS
from bench.faults.texts import texts
from parity.diff import Options, diff
from parity.fault_edits import Runs
from parity.faults import MODES, REFUSED, RUN_FAULTS, Fault
from parity.known import Rule
from parity.result import CAUSES
from shared.run import open_run
from stream.stores.memory import MemoryStore

# One or two of every stage; the others run with `make test-deep` and `python -m bench.faults`.
QUICK = {
    "an event is dropped",
    "a broker's clock is ahead",
    "the limit of a payload is one byte less",
    "another normaliser",
    "two permutations swapped",
    "bands and rows exchanged",
    "one stays in its buckets",
    "the near draws are one too few",
    "priority: ties broken the other way",
    "> in place of >=",
    "the head check is skipped",
    "members of a deleted head keep it",
}
QUICK_IN_PICTURES = {
    "a token is lost",
    "a record in the other byte order",
    "a signature under another channel's name",
    "a bit of a stored record",
    "one pixel less is allowed",
    "another codebook",
    "the stop list is ignored",
    "what was deleted or edited stays in its buckets",
    "inliers counted one too many",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> harness.Base:
    """Run A is a stream's too; `python -m bench.faults` has Spark's."""
    return harness.make_base(tmp_path_factory.mktemp("faults"), texts())


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


@pytest.fixture(scope="module")
def base_of_pictures(tmp_path_factory: pytest.TempPathFactory) -> harness.Base:
    folder = tmp_path_factory.mktemp("faults-in-pictures")
    return harness.make_base(folder / "base", pictures(folder / "pictures"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fault, id=fault.name, marks=[] if fault.name in QUICK_IN_PICTURES else [pytest.mark.slow]
        )
        for fault in (*RUN_FAULTS, *STATE_FAULTS, *PICTURE_CODE_FAULTS)
    ],
)
def test_faults_in_pictures(base_of_pictures: harness.Base, fault: Fault, tmp_path: Path) -> None:
    judge(base_of_pictures, fault, tmp_path)


# At every stage; the others are in docs/faults.md.
BESIDE_LATE = {
    "version time off: a clock's skew",
    "effective time off: a late event taken in time",
    "a token is lost",
    "two values of a signature swapped",
    "a bucket entry is lost",
    "one draw too few",
    "an edge is lost",
    "a numerator one off",
    "a cluster row is lost",
    "a posting of a deleted item is left",
    "an event is dropped",
    "another normaliser",
    "unions one too large",
    "members behind a deleted one do not draw again",  # whose rows are the same as before it was deleted
    "members of a deleted head keep it",
}


def test_faults_beside_late_events_have_the_same_roots(base: harness.Base, tmp_path: Path) -> None:
    faults = [fault for fault in (*RUN_FAULTS, *STATE_FAULTS, *CODE_FAULTS) if fault.name in BESIDE_LATE]
    assert len(faults) == len(BESIDE_LATE)
    found = list(try_late(base, faults, tmp_path))
    assert [one for one in found if not (one.right and one.found)] == []


def test_what_a_late_event_should_have_changed_is_told(base: harness.Base, tmp_path: Path) -> None:
    """Both runs have the row; only --verify finds it."""
    keep = next(fault for fault in CODE_FAULTS if fault.name == "members of a deleted head keep it")
    early, b = open_run(base.early), open_run(harness.inject(base, keep, tmp_path).b)
    equal = [
        [d for d in diff(early, b, options).differences if d.kind == "wrong" and d.fields[0].name == "row"]
        for options in (Options(allow_late=True), Options(allow_late=True, verify=True))
    ]
    assert not equal[0] and len(equal[1]) > 50 and {d.cause for d in equal[1]} == {"cluster"}
    assert "equal in both" in equal[1][0].fields[0].note


# Code that runs with `heads` only, or that leaves all rows of a component wrong for one reason.
NOT_OF_COMPONENTS = {
    "the head check is skipped",
    "ties go to the latest head",
    "the earliest head instead of the strongest",
    "the weakest head",
    "one round and no more: heads taken late",
    "members of a deleted head keep it",
}


@pytest.mark.slow
def test_the_same_where_clusters_are_components(tmp_path: Path) -> None:
    base = harness.make_base(tmp_path / "base", texts("components"))
    faults = [*RUN_FAULTS, *STATE_FAULTS, *CODE_FAULTS]
    found = []
    for number, fault in enumerate(fault for fault in faults if fault.name not in NOT_OF_COMPONENTS):
        (tmp_path / str(number)).mkdir()
        found.append(harness.attempt(base, fault, tmp_path / str(number)))
    assert len(found) == len(faults) - len(NOT_OF_COMPONENTS)
    assert [one for one in found if not one.right] == []


# What draws, edges and heads follow from is another order, or buckets that are not the signature's.
HELD = {"one stays in its buckets", "the priority of one item is another"}


@pytest.mark.parametrize("rule", ["heads", "components"])
def test_verify_counts_no_other_roots(rule: str, tmp_path: Path) -> None:
    base = harness.make_base(tmp_path / "base", texts(rule))
    faults = [fault for fault in CODE_FAULTS if fault.name in HELD]
    assert len(faults) == len(HELD)
    for fault in faults:
        with fault.inject():
            harness.stream(MemoryStore(), tmp_path / fault.name, base.lake, base.scenario)
        a, b = open_run(base.a), open_run(tmp_path / fault.name)
        plain, held = (diff(a, b, Options(verify=verify, listed=10**6)) for verify in (False, True))
        assert plain.differences == held.differences != ()
        assert {d.cause for d in plain.differences} == {fault.stage}


def test_rows_that_are_there_twice_are_no_two_members_of_a_bucket(base: harness.Base, tmp_path: Path) -> None:
    twice = next(fault for fault in RUN_FAULTS if fault.name == "every row is there twice")
    runs = harness.inject(base, twice, tmp_path)
    result = diff(open_run(runs.a), open_run(runs.b), Options(verify=True))
    assert {count.cause for count in result.causes if count.total} == {"event"}


def test_the_library_is_whole() -> None:
    faults = [*RUN_FAULTS, *STATE_FAULTS, *CODE_FAULTS]
    assert len({fault.name for fault in faults}) == len(faults) >= 60
    assert len(STATE_FAULTS) + len(CODE_FAULTS) >= 20
    assert {fault.stage for fault in faults} == {*CAUSES, REFUSED, "lake"}
    assert {fault.mode for fault in faults} == set(MODES)
    assert {fault.name for fault in CODE_FAULTS} >= QUICK
    in_pictures = [*RUN_FAULTS, *STATE_FAULTS, *PICTURE_CODE_FAULTS]
    assert {fault.name for fault in in_pictures} >= QUICK_IN_PICTURES


def test_without_a_fault_nothing_is_caught(base: harness.Base, tmp_path: Path) -> None:
    found = harness.attempt(base, Fault("none", "run", "match", "wrong", lambda runs: None), tmp_path)
    assert not found.caught_by and not found.right


# Two faults at one id or in its buckets: what they are connected with would hide the second one.
PAIRS = {
    ("another payload under the same times", "one draw too few"),
    ("another payload under the same times", "two values of a signature swapped"),
    ("effective time off: a late event taken in time", "a bucket entry is lost"),
    ("an item's row is there twice", "an edge is lost"),
    ("a token is lost", "an item that drew nobody"),
    ("a token is lost", "a signature cut short"),
    ("a signature is lost", "a numerator one off"),
    ("one bit of one signature value", "an item in no bucket"),
    ("an item in no bucket", "an edge that nobody found"),
    ("a bucket entry is lost", "a member that became a head"),
    ("one draw too few", "a member of another cluster"),
}


@pytest.mark.parametrize("rule", ["heads", "components"])
def test_two_faults_at_once_are_two_roots(rule: str, tmp_path: Path) -> None:
    pairs = [pair for pair in pairs_of(RUN_FAULTS) if (pair[0].name, pair[1].name) in PAIRS]
    assert len(pairs) == len(PAIRS)
    found = list(try_pairs(harness.make_base(tmp_path, texts(rule)), pairs, tmp_path))
    assert all(len(pair.expected) == 2 for pair in found)
    assert [pair for pair in found if not pair.right] == []
    assert sum(pair.plain != pair.expected for pair in found) >= 3  # so that --verify decides something


def test_a_known_difference_excuses_no_other_fault(base: harness.Base, tmp_path: Path) -> None:
    two = [f for f in RUN_FAULTS if f.name in ("one bit of one signature value", "an item in no bucket")]
    shutil.copytree(base.b, tmp_path / "b")
    for fault in two:
        fault.inject(Runs(base.a, tmp_path / "b", base.lake))
    rule = Rule("flaky disk", "signature", "*", "us", "ticket 1", date(2027, 1, 1), cap=1)
    options = Options(rules=[rule], today=date(2026, 12, 1))
    a, b = open_run(base.a), open_run(tmp_path / "b")
    assert diff(a, b, options).passed
    held = diff(a, b, replace(options, verify=True))
    assert [(d.cause, d.kind) for d in held.differences] == [("signature", "known"), ("bucket", "missing")]
    assert not held.passed
