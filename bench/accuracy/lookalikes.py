"""Pairs of photographs that look alike as thumbnails: which of them a preset calls duplicates."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.accuracy.protocol import DIFFERENT, NEAR_DUPLICATE, labelled
from shared import lsh
from shared.similarity import NO_MATCH, verify
from shared.sketch import sketch
from shared.spec import Spec


@dataclass(frozen=True)
class LookAlike:
    """A pair that matches, by which channel, and that channel's integers."""

    a: str
    b: str
    channel: str
    numerator: int
    denominator: int


@dataclass(frozen=True)
class LookAlikes:
    """Of the pairs with one label: how many share a bucket, and which match when they are verified."""

    pairs: int
    candidates: int
    matches: list[LookAlike]


def look_alikes(spec: Spec, root: Path) -> dict[str, LookAlikes]:
    """By label. Nothing where the collection has no list of look-alikes."""
    pairs = {label: labelled(root, label) for label in (DIFFERENT, NEAR_DUPLICATE)}
    names = sorted({name for each in pairs.values() for pair in each for name in pair})
    if not names:
        return {}
    rows = {name: row for row, name in enumerate(names)}
    features = sketch(spec, _events([root / name for name in names])).features
    shared = np.zeros((len(names), len(names)), np.bool_)
    for channel, feature in zip(spec.channels, features, strict=True):
        present, values = lsh.item_buckets(feature.signatures, channel)
        for row, mine in zip(present, values, strict=True):
            shared[row, present] |= (values == mine).any(axis=1)
    found = {}
    for label, each in pairs.items():
        earlier, later = (np.array([rows[pair[side]] for pair in each], np.int64) for side in (0, 1))
        matches = verify(spec.channels, features, later, earlier)
        result = zip(matches.channel, matches.numerator, matches.denominator, strict=True)
        found[label] = LookAlikes(
            len(each),
            int(shared[later, earlier].sum()),
            [
                LookAlike(*pair, spec.channels[order].name, int(numerator), int(denominator))
                for pair, (order, numerator, denominator) in zip(each, result, strict=True)
                if order != NO_MATCH
            ],
        )
    return found


def _events(files: list[Path]) -> pa.Table:
    """The columns of winning events that `sketch` reads."""
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    return pa.table(
        {
            "op": pa.array(["upsert"] * len(files)),
            "kind": pa.array(["uri"] * len(files)),
            "payload": pa.array([str(file.resolve()).encode() for file in files], pa.binary()),
            "digest": pa.array(digests, pa.binary()),
        }
    )
