"""Pairs of the items that are explained, verified by shared/similarity.py."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from parity.explain import features
from shared.similarity import NO_MATCH, measure, verify
from shared.spec import Spec
from shared.stored import Piece, Strength

Pair = tuple[str, str]  # the earlier, the later


@dataclass(frozen=True)
class Measured:
    """What one channel says of a pair. present: both have features in it; else all numbers are 0.

    common: tokens (jaccard) or bits (hamming) that both have; None for other rules. The numerator and
    denominator are those of the channel's rule.
    """

    channel: str
    present: bool
    common: int | None
    agreeing: int
    permutations: int
    agreeing_bands: int
    bands: int
    numerator: int
    denominator: int
    accepted: bool


def match_pairs(
    spec: Spec, pieces: Mapping[str, tuple[Piece, ...]], pairs: Collection[Pair]
) -> dict[Pair, Strength | None]:
    """The match of each pair, from whole pieces. An item without any matches nothing."""
    if not pairs:
        return {}
    items = sorted({item for pair in pairs for item in pair})
    row = {item: i for i, item in enumerate(items)}
    columns = features.columns(spec, [features.whole(spec, pieces.get(item)) for item in items])
    left, right = (np.array([row[pair[end]] for pair in pairs], np.int64) for end in (0, 1))
    found = verify(spec.channels, columns, left, right)
    numbers = (values.tolist() for values in (found.channel, found.numerator, found.denominator))
    return {
        pair: None if order == NO_MATCH else Strength(spec.channels[order].name, numerator, denominator)
        for pair, order, numerator, denominator in zip(pairs, *numbers, strict=True)
    }


def measure_pair(
    spec: Spec, one: tuple[Piece, ...] | None, other: tuple[Piece, ...] | None
) -> tuple[Measured, ...]:
    """What every channel says of one pair."""
    columns = features.columns(spec, [features.whole(spec, one), features.whole(spec, other)])
    left, right = np.array([0]), np.array([1])
    found = []
    for channel, own in zip(spec.channels, columns, strict=True):
        result = measure(channel, own, left, right)
        numerator = int(result.numerator[0])
        found.append(
            Measured(
                channel=channel.name,
                present=bool(result.present[0]),
                common=numerator if channel.match.rule in ("jaccard", "hamming") else None,
                agreeing=int(result.agreeing[0]),
                permutations=channel.minhash.permutations,
                agreeing_bands=int(result.agreeing_bands[0]),
                bands=channel.bands.count,
                numerator=numerator,
                denominator=int(result.denominator[0]),
                accepted=bool(result.accepted[0]),
            )
        )
    return tuple(found)
