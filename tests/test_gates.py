import pytest

from parity.gates import judge, parse_gates
from parity.result import CAUSES, CauseCount
from parity.upgrade.gates import GATES as UPGRADE
from shared.errors import CrossfadeError, SpecError
from shared.spec import from_dict, load, to_dict

COUNTS = [CauseCount(cause, 1, 2, 3, 4, 5, 0) for cause in CAUSES[:2]]


def test_nothing_is_allowed_but_late_and_known_unless_it_is_said() -> None:
    gates = {gate.kind: (gate.limit, gate.found, gate.passed) for gate in judge({}, COUNTS, 0, 100)}
    assert gates == {
        "missing": (0, 2, False),
        "extra": (0, 4, False),
        "wrong": (0, 6, False),
        "late": (None, 8, True),
        "known": (None, 10, True),
        "uncovered": (0, 0, True),
    }


@pytest.mark.parametrize(
    ("limit", "items", "allowed"),
    [(6, 0, 6), ("6", 0, 6), ("1%", 700, 7), ("0.01%", 69_999, 6), ("100%", 5, 5)],
)
def test_limits_are_numbers_or_shares_rounded_down(limit: int | str, items: int, allowed: int) -> None:
    (wrong,) = [gate for gate in judge({"wrong": limit}, COUNTS, 0, items) if gate.kind == "wrong"]
    assert wrong.limit == allowed and wrong.passed == (allowed >= 6)


@pytest.mark.parametrize("limit", ["-1", "0.5", "x", "1%%", "", "1/0", "1 %x"])
def test_what_is_no_limit(limit: str) -> None:
    with pytest.raises(CrossfadeError, match="neither a number of differences nor a share"):
        judge({"wrong": limit}, COUNTS, 0, 10)


def test_what_is_no_gate() -> None:
    with pytest.raises(CrossfadeError, match="gate 'recall' is none of the classes missing, extra"):
        judge({"recall": 1}, COUNTS, 0, 10)
    with pytest.raises(CrossfadeError, match="is not CLASS=LIMIT"):
        parse_gates(["wrong"])
    assert parse_gates(["wrong=1", " late = 2% "]) == {"wrong": "1", "late": "2%"}


def test_the_spec_carries_gates() -> None:
    data = to_dict(load("text")) | {"gates": {"wrong": 3, "missing": "0.5%"}}
    assert to_dict(from_dict(data))["gates"] == {"wrong": 3, "missing": "0.5%"}
    for gates in ({"recall": 1}, {"wrong": -1}, {"wrong": "some"}, {"wrong": True}, 7):
        with pytest.raises(SpecError, match="gates"):
            from_dict(data | {"gates": gates})


@pytest.mark.parametrize("gate", ["wrogn=1", "wrong=1 %", "wrong=-1", "lost=1"])
def test_an_option_that_is_no_gate_is_refused_before_anything_is_compared(gate: str) -> None:
    with pytest.raises(CrossfadeError):
        parse_gates([gate])


def test_the_gates_of_an_upgrade_are_others() -> None:
    assert parse_gates(["lost=1", "dropped=2%"], UPGRADE) == {"lost": "1", "dropped": "2%"}
    with pytest.raises(CrossfadeError, match="gate 'missing' is none of the classes event"):
        parse_gates(["missing=1"], UPGRADE)
