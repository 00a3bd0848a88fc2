"""A diff's result as JSON, as docs/diff-json.md documents it. VERSION rises when a field changes."""

from dataclasses import asdict
from typing import Any

import orjson

from parity.result import FieldDifference, Result, Side

NAME, VERSION = "crossfade-diff", 1


def document(result: Result) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "format": NAME,
        "version": VERSION,
        "verdict": "parity" if result.parity else "differences",
        "contract_id": result.contract_id,
        "aligned_by": result.aligned_by,
        "verified": result.verified,
        "a": _side(result.a),
        "b": _side(result.b),
        "stages": [asdict(stage) for stage in result.stages],
        "causes": [asdict(cause) for cause in result.causes],
        "dead_letters": [{"reason": d.name, "a": d.a, "b": d.b} for d in result.dead_letters],
        "total": result.total,
        "listed": len(result.differences),
        "differences": [
            {
                "cause": difference.cause,
                "class": difference.kind,
                "id": difference.id,
                "earlier": difference.earlier,
                "explains": difference.explains,
                "fields": [_field(field) for field in difference.fields],
            }
            for difference in result.differences
        ],
    }


def to_json(result: Result) -> bytes:
    return orjson.dumps(document(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _side(side: Side) -> dict[str, Any]:
    return {"path": side.path, "engine": side.engine, "versions": dict(side.versions)}


def _field(field: FieldDifference) -> dict[str, Any]:
    return {"name": field.name, "a": field.a, "b": field.b, "note": field.note}
