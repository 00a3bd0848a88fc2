from datetime import date
from pathlib import Path

import pytest

from parity.diff import Options, diff
from parity.document import document
from parity.known import read_rules
from parity.result import Result
from shared.errors import CrossfadeError, SourceError, SpecError
from shared.run import open_run
from shared.spec import load
from tests import runs
from tests.runs import head, sample, signature

TODAY = date(2026, 11, 24)
RULE = """
[[known]]
name = "new decoder"
stage = "signature"
id = "[ab]"
owner = "ingest team"
reason = "ticket 123"
expires = 2026-11-24
cap = 2
"""


def compare(tmp_path: Path, registry: str, ids: str = "ab", today: date = TODAY) -> Result:
    b = sample()
    for row in b["signatures"]:
        if row["id"] in ids:
            row.update(signature(row["id"], *range(50, 58)))
    runs.write(tmp_path / "a", sample())
    runs.write(tmp_path / "b", b)
    (tmp_path / "known.toml").write_text(registry)
    options = Options(rules=read_rules(tmp_path / "known.toml"), today=today)
    return diff(open_run(tmp_path / "a"), open_run(tmp_path / "b"), options)


def test_a_registered_difference_passes_until_its_last_day(tmp_path: Path) -> None:
    result = compare(tmp_path, RULE)
    assert [(d.kind, d.rule) for d in result.differences] == [("known", "new decoder")] * 2
    assert result.verdict == "within gates" and not result.parity
    assert [(u.found, u.state) for u in result.known] == [(2, "ok")]
    assert document(result)["known"][0]["passed"] is True


def test_an_expired_rule_makes_nothing_known_and_fails(tmp_path: Path) -> None:
    result = compare(tmp_path, RULE, today=date(2026, 11, 25))
    assert [d.kind for d in result.differences] == ["wrong", "wrong"]
    assert result.known[0].state == "expired" and result.verdict == "differences"


def test_an_expired_rule_fails_even_where_the_gates_allow_it(tmp_path: Path) -> None:
    compare(tmp_path, RULE)
    options = Options(rules=read_rules(tmp_path / "known.toml"), today=date(2027, 1, 1), gates={"wrong": 9})
    result = diff(open_run(tmp_path / "a"), open_run(tmp_path / "b"), options)
    assert all(gate.passed for gate in result.gates) and not result.passed


def test_more_than_the_cap_fails(tmp_path: Path) -> None:
    result = compare(tmp_path, RULE.replace("cap = 2", "cap = 1"))
    assert result.known[0].state == "over its cap" and result.verdict == "differences"


def test_what_a_rule_does_not_name_stays_a_difference(tmp_path: Path) -> None:
    result = compare(tmp_path, RULE, "abd")
    assert [(d.id, d.kind) for d in result.differences] == [("a", "known"), ("b", "known"), ("d", "wrong")]
    assert result.verdict == "differences"


def test_a_rule_by_class_or_field(tmp_path: Path) -> None:
    for number in "123":
        (tmp_path / number).mkdir()
    by_class = compare(tmp_path / "1", RULE + 'class = "missing"')
    assert by_class.known[0].state == "unused" and not by_class.passed
    by_field = compare(tmp_path / "2", RULE + 'field = "signature"')
    assert by_field.known[0].found == 2 and by_field.passed
    assert compare(tmp_path / "3", RULE + 'field = "record"').known[0].state == "unused"


def test_an_unused_rule_does_no_harm(tmp_path: Path) -> None:
    result = compare(tmp_path, RULE, "")
    assert result.verdict == "parity" and result.known[0].state == "unused"


def test_cluster_rows_of_a_known_cause_are_explained(tmp_path: Path) -> None:
    b = sample()
    b["signatures"][3] = signature("d", *range(50, 58))
    b["edges"] = [row for row in b["edges"] if row["earlier"] != "d"]
    b["clusters"][4] = head("e")
    runs.write(tmp_path / "a", sample())
    runs.write(tmp_path / "b", b)
    (tmp_path / "known.toml").write_text(RULE.replace("[ab]", "d"))
    options = Options(rules=read_rules(tmp_path / "known.toml"), today=TODAY)
    result = diff(open_run(tmp_path / "a"), open_run(tmp_path / "b"), options)
    assert [(d.kind, d.explains) for d in result.differences] == [("known", 2)] and result.passed


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('owner = "ingest team"', "", "owner is missing; every known difference needs one"),
        ("cap = 2", "", "cap is missing"),
        ("cap = 2", "cap = 0", "cap must be 1 or more"),
        ("cap = 2", 'cap = "2"', "cap must be a whole number"),
        ("expires = 2026-11-24", 'expires = "soon"', "expires must be a date"),
        ("expires = 2026-11-24", "expires = 2026-11-24T00:00:00", "expires must be a date"),
        ('stage = "signature"', 'stage = "edges"', "is none of event, features"),
        ('id = "[ab]"', 'id = "a"\nclass = "late"', "is none of missing, extra, wrong"),
        ('id = "[ab]"', 'id = "a"\ncolour = "red"', "unknown key 'colour'"),
        ("[[known]]", "[[rules]]", "must hold [[known]] tables and nothing else"),
        ("[[known]]", "[[known]", "cannot be read"),
    ],
)
def test_a_registry_that_is_none(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    file = tmp_path / "known.toml"
    file.write_text(RULE.replace(old, new))
    with pytest.raises(SourceError) as caught:
        read_rules(file)
    assert sentence in str(caught.value) and str(file) in str(caught.value)


def test_two_rules_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(RULE + RULE)
    with pytest.raises(SourceError, match="two rules named 'new decoder'"):
        read_rules(tmp_path / "known.toml")


@pytest.mark.parametrize("text", ["x = " + "[" * 5_000, "x = " + "9" * 5_000])
def test_toml_beyond_what_can_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "known.toml").write_text(text)
    with pytest.raises(SpecError):
        load(str(tmp_path / "known.toml"))
    with pytest.raises(CrossfadeError, match="cannot be read"):
        read_rules(tmp_path / "known.toml")
