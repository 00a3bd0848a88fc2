"""An upgrade as JSON, as docs/diff-json.md documents it. VERSION rises when a field changes."""

from dataclasses import asdict
from typing import Any

import orjson

from parity.document import clusters_document, reasons_document, side_document
from parity.upgrade.result import BINS, Events, Judge, OneSided, Pairs, Upgrade

NAME, VERSION = "crossfade-upgrade", 1


def document(result: Upgrade) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "format": NAME,
        "version": VERSION,
        "verdict": result.verdict,
        "aligned_by": result.aligned_by,
        "verified": result.verified,
        "a": side_document(result.a) | {"contract_id": result.contract_a},
        "b": side_document(result.b) | {"contract_id": result.contract_b},
        "contract": [asdict(change) for change in result.contract],
        "gates": [asdict(gate) | {"passed": gate.passed} for gate in result.gates],
        "events": _events(result.events),
        "unequal_features": result.unequal_features,
        "judges": [_judge(judge) for judge in result.judges],
        "edges": _pairs(result.edges),
        "memberships": _pairs(result.memberships),
        "clusters": clusters_document(result.clusters) if result.clusters else None,
        "costs": [asdict(cost) for cost in result.costs],
    }


def to_json(result: Upgrade) -> bytes:
    return orjson.dumps(document(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _events(found: Events) -> dict[str, Any]:
    first = [
        {"class": item.kind, "id": item.id, "fields": [asdict(field) for field in item.fields]}
        for item in found.first
    ]
    reasons = reasons_document(found.dead_letters)
    return asdict(found) | {"first": first, "dead_letters": reasons, "total": found.total}


def _judge(judge: Judge) -> dict[str, Any]:
    histogram = [
        {"bin": judge.bins[place], "gained": judge.gained[place], "lost": judge.lost[place]}
        for place in range(BINS)
    ]
    names = ("name", "extractor", "by", "rules_a", "rules_b")
    return {name: getattr(judge, name) for name in names} | {"histogram": histogram}


def _pairs(pairs: Pairs) -> dict[str, Any]:
    sides = {name: _side(getattr(pairs, name)) for name in ("gained", "lost")}
    return {name: value for name, value in asdict(pairs).items() if name != "what"} | sides


def _side(side: OneSided) -> dict[str, Any]:
    return asdict(side) | {"sampled": side.sampled, "whys": dict(side.whys)}
