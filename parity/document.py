"""A diff's result as JSON, as docs/diff-json.md documents it. VERSION rises when a field changes."""

from dataclasses import asdict
from typing import Any

import orjson

from parity.coverage import Coverage
from parity.fields import FieldDifference
from parity.regrouping import ClusterComparison
from parity.result import Result, Side

NAME, VERSION = "crossfade-diff", 2


def document(result: Result) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "format": NAME,
        "version": VERSION,
        "verdict": result.verdict,
        "contract_id": result.contract_id,
        "aligned_by": result.aligned_by,
        "verified": result.verified,
        "held": result.held,
        "differing": result.differing,
        "a": side_document(result.a),
        "b": side_document(result.b),
        "gates": [asdict(gate) | {"passed": gate.passed} for gate in result.gates],
        "stages": [asdict(stage) for stage in result.stages],
        "causes": [asdict(cause) for cause in result.causes],
        "dead_letters": reasons_document(result.dead_letters),
        "known": [asdict(use) | {"passed": use.passed} for use in result.known],
        "clusters": clusters_document(result.clusters) if result.clusters else None,
        "coverage": [_coverage(coverage) for coverage in result.coverage],
        "why_no_lake": result.why_no_lake,
        "total": result.total,
        "uncovered": result.uncovered,
        "listed": len(result.differences),
        "differences": [
            {
                "cause": difference.cause,
                "class": difference.kind,
                "id": difference.id,
                "earlier": difference.earlier,
                "explains": difference.explains,
                "rule": difference.rule,
                "fields": [asdict(field) for field in difference.fields],
            }
            for difference in result.differences
        ],
    }


def to_json(result: Result) -> bytes:
    return orjson.dumps(document(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def side_document(side: Side) -> dict[str, Any]:
    return asdict(side) | {"versions": dict(side.versions)}


def reasons_document(reasons: tuple[FieldDifference, ...]) -> list[dict[str, Any]]:
    return [{"reason": reason.name, "a": reason.a, "b": reason.b} for reason in reasons]


def clusters_document(found: ClusterComparison) -> dict[str, Any]:
    rates = ("precision", "recall", "f1", "adjusted_rand")
    return asdict(found) | {
        "counts": dict(found.counts),
        **{name: getattr(found, name) for name in rates},
        "regroupings": [
            asdict(group)
            | {
                side: [{"head": head, "size": size} for head, size in getattr(group, side)]
                for side in ("clusters_a", "clusters_b")
            }
            for group in found.regroupings
        ],
    }


def _coverage(found: Coverage) -> dict[str, Any]:
    uncovered = [
        {
            "id": item.id,
            "class": item.kind,
            "at": list(item.at),
            "fields": [asdict(field) for field in item.fields],
        }
        for item in found.uncovered
    ]
    return asdict(found) | {
        "dead_letters": reasons_document(found.dead_letters),
        "uncovered": uncovered,
        "whole": found.whole,
    }
