"""Known differences: a registry in TOML of what is expected to differ, by whom, why, how many and how long.

    [[known]]
    name = "sensor dumps are cut at another byte"
    stage = "features"          # one of event, features, signature, bucket, candidate, match, cluster
    id = "sensor/*"             # shell pattern of the id; of an edge its later end
    class = "wrong"             # missing, extra or wrong; left out: any
    field = "status"            # a field that differs; left out: any
    owner = "ingest team"
    reason = "ticket 123: until the batch takes the new decoder"
    expires = 2027-03-31        # the last day on which it holds
    cap = 20                    # most differences that it may explain

A rule that has expired, or that more than `cap` differences match, fails the diff.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from parity.result import CAUSES, Difference, KnownUse
from shared.errors import SourceError

_REQUIRED: dict[str, type] = {"name": str, "stage": str, "id": str, "owner": str, "reason": str}
_REQUIRED |= {"expires": date, "cap": int}
_OPTIONAL: dict[str, type] = {"class": str, "field": str}
_CLASSES = ("missing", "extra", "wrong")


@dataclass(frozen=True)
class Rule:
    """One registered difference; `kind` and `field` are "" for any."""

    name: str
    stage: str
    id: str
    owner: str
    reason: str
    expires: date
    cap: int
    kind: str = ""
    field: str = ""

    def matches(self, difference: Difference) -> bool:
        return (
            difference.cause == self.stage
            and self.kind in ("", difference.kind)
            and fnmatchcase(difference.id, self.id)
            and (not self.field or any(_named(field.name, self.field) for field in difference.fields))
        )


def _named(field: str, wanted: str) -> bool:
    """A channel's field by its whole name, such as words.signature, or by its last part."""
    return wanted in (field, field.rpartition(".")[2])


def read_rules(path: Path) -> tuple[Rule, ...]:
    """SourceError, with the rule and what to do, where the file is not as above."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"the known differences {path} cannot be read: {error}") from error
    entries = data.get("known")
    if set(data) != {"known"} or not isinstance(entries, list):
        raise SourceError(f"{path} must hold [[known]] tables and nothing else; see docs/how-to/migrate.md")
    rules = tuple(_rule(path, number, entry) for number, entry in enumerate(entries, 1))
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"{path} has two rules named {twice[0]!r}; give each a name of its own")
    return rules


def _rule(path: Path, number: int, entry: Any) -> Rule:
    where = f"{path}, rule {number}"
    if not isinstance(entry, dict):
        raise SourceError(f"{where} must be a [[known]] table")
    for name, wanted in (_REQUIRED | _OPTIONAL).items():
        if name in entry and type(entry[name]) is not wanted:
            raise SourceError(f"{where}: {name} must be a {_TYPES[wanted]}, not {entry[name]!r}")
        if name in _REQUIRED and entry.get(name) in (None, ""):
            raise SourceError(f"{where}: {name} is missing; every known difference needs one")
    if unknown := sorted(set(entry) - _REQUIRED.keys() - _OPTIONAL.keys()):
        raise SourceError(f"{where}: unknown key {unknown[0]!r}")
    if entry["stage"] not in CAUSES:
        raise SourceError(f"{where}: stage {entry['stage']!r} is none of {', '.join(CAUSES)}")
    if entry.get("class", "wrong") not in _CLASSES:
        raise SourceError(f"{where}: class {entry['class']!r} is none of {', '.join(_CLASSES)}")
    if entry["cap"] < 1:
        raise SourceError(f"{where}: cap must be 1 or more; without any, delete the rule")
    named = {name: entry[name] for name in _REQUIRED}
    return Rule(**named, kind=entry.get("class", ""), field=entry.get("field", ""))


_TYPES = {str: "string", int: "whole number", date: "date, such as 2027-03-31"}


def apply_rules(
    rules: Sequence[Rule], differences: Sequence[Difference], today: date
) -> tuple[list[Difference], tuple[KnownUse, ...]]:
    """(the same differences, the matched ones with the class `known`; what became of each rule).

    The first rule that matches counts. An expired rule makes nothing known, and fails in any case.
    Differences must have their fields where a rule names one.
    """
    found = dict.fromkeys(rules, 0)
    out = []
    for difference in differences:
        rule = next((rule for rule in rules if rule.matches(difference)), None)
        if rule:
            found[rule] += 1
        holds = rule is not None and rule.expires >= today
        out.append(replace(difference, kind="known", rule=rule.name) if rule and holds else difference)
    return out, tuple(_use(rule, count, today) for rule, count in found.items())


def _use(rule: Rule, count: int, today: date) -> KnownUse:
    over = "over its cap" if count > rule.cap else "ok" if count else "unused"
    state = "expired" if rule.expires < today else over
    return KnownUse(rule.name, rule.owner, rule.reason, rule.expires.isoformat(), rule.cap, count, state)
