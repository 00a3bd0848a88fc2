"""Specs and records made by hand, for tests."""

import json
from typing import Any

from tests.oracle import Record


def make_channel(name: str = "words", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "extractor": "text.shingles",
        "parameters": {"unit": "word", "size": 1, "normalise": "NFKC", "casefold": True},
        "minhash": {"permutations": 4, "seed": 1},
        "bands": {"count": 2, "rows": 2},
        "draws": {"first": 2, "near": 1},
        "match": {"rule": "jaccard", "threshold": "0.5", "min_agreeing_bands": 0},
    } | changes


def make_spec(*channels: dict[str, Any], rule: str = "heads", **times: int) -> dict[str, Any]:
    return {
        "name": "hand-made",
        "times": times,
        "limits": {"payload_bytes": 100},
        "clusters": {"rule": rule},
        "channels": list(channels or [make_channel()]),
    }


def event(id: str, event_time: int, text: str | None, **members: Any) -> bytes:
    """An upsert of a text, or a delete where there is none."""
    body = {"id": id, "op": "delete", "event_time": event_time}
    if text is not None:
        body |= {"op": "upsert", "payload": {"text": text}}
    return json.dumps(body | members).encode()


def log(*values: tuple[int, bytes | None]) -> list[Record]:
    """(append time, value) pairs as one partition."""
    return [(0, offset, append_time, value) for offset, (append_time, value) in enumerate(values)]


def rule(threshold: str, rule: str = "jaccard", agreeing: int = 0) -> dict[str, Any]:
    """A channel's match rule."""
    return {"rule": rule, "threshold": threshold, "min_agreeing_bands": agreeing}
