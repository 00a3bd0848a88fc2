"""An explanation as JSON, as docs/explain-json.md documents it. VERSION rises when a field changes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from parity.explain.result import Explanation, ItemView, Largest, PairView, SideView
from parity.explain.verdict import sentences
from shared.spec import Spec
from shared.stored import Entry, Place, Trace

NAME, VERSION = "crossfade-explain", 1


def document(explanation: Explanation) -> dict[str, Any]:
    """Plain JSON values."""
    parting = explanation.parting
    return {
        "format": NAME,
        "version": VERSION,
        "ids": list(explanation.ids),
        "contract_id": explanation.contract_id,
        "sound": explanation.sound,
        "parting": asdict(parting) if parting else None,
        "sentences": list(sentences(explanation)),
        "notes": list(explanation.notes),
        "sides": [_side(side, explanation.spec) for side in explanation.sides],
    }


def to_json(explanation: Explanation) -> bytes:
    return orjson.dumps(document(explanation), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _side(side: SideView, spec: Spec) -> dict[str, Any]:
    names = ("name", "path", "kind", "engine", "stands_at", "lake")
    return {name: getattr(side, name) for name in names} | {
        "items": [_item(item, spec) for item in side.items],
        "pair": _pair(side.pair, spec) if side.pair else None,
        "faults": [asdict(fault) for fault in side.faults],
    }


def _item(item: ItemView, spec: Spec) -> dict[str, Any]:
    event = asdict(item.event) | {"digest": item.event.digest.hex()} if item.event else None
    buckets, draws, edges, decision = item.buckets, item.draws, item.edges, item.decision
    return {
        "id": item.id,
        "event": event,
        "payload": item.payload,
        "sketched": item.sketched,
        "channels": [asdict(channel) for channel in item.channels],
        "buckets": {
            "held": _trace(buckets.held),
            "expected": _trace(buckets.expected),
            "shared": buckets.shared,
            "largest": _largest(buckets.largest, spec),
        },
        "draws": {"drew": _trace(draws.drew), "expected": _trace(draws.expected), "drawn": list(draws.drawn)},
        "edges": asdict(edges),
        "cluster": {
            "possible": [asdict(possible) for possible in decision.possible],
            "decided": _place(decision.decided),
            "stored": _place(decision.stored),
            "lacking": list(decision.lacking),
            "members": decision.members,
        },
    }


def _pair(pair: PairView, spec: Spec) -> dict[str, Any]:
    return asdict(pair) | {
        "buckets": [_entry(bucket.entry, spec) | _without(asdict(bucket), "entry") for bucket in pair.buckets]
    }


def _trace(trace: Trace) -> dict[str, int]:
    return {"count": trace[0], "trace": trace[1]}


def _entry(entry: Entry, spec: Spec) -> dict[str, Any]:
    order, band, value = entry
    return {"channel": spec.channels[order].name, "band": band, "bucket": f"{value:016x}"}


def _largest(largest: Largest | None, spec: Spec) -> dict[str, Any] | None:
    return _entry(largest.entry, spec) | _without(asdict(largest), "entry") if largest else None


def _place(place: Place | None) -> dict[str, Any] | None:
    return asdict(place) if place else None


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
