"""Is a pair true by a rule? What the features say, exactly, whatever the sketches made of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.upgrade.features import Features
from parity.upgrade.kinds import A, B, Kind
from parity.upgrade.mapped import Mapped
from parity.upgrade.result import NO, UNKNOWN, WHYS, YES
from shared.similarity import ChannelFeatures, Measures, measure
from shared.spec import Bands, Channel, Match

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
CHUNK_BYTES = 64 * 2**20  # of features that are in memory at a time, unless one pair has more
TRUTHS = (YES, NO, UNKNOWN)
_YES, _NO, _UNKNOWN = range(3)


@dataclass(frozen=True)
class Judgement:
    """Of n pairs: old, new: int8[n], places in TRUTHS, by the rules of A and of B.

    numerator, denominator: int64[kinds, n], what each kind's features give; 0 / 0 where nothing.
    """

    old: npt.NDArray[np.int8]
    new: npt.NDArray[np.int8]
    numerator: Int64s
    denominator: Int64s


def judge(kinds: Sequence[Kind], features: Features, left: Int64s, right: Int64s) -> Judgement:
    """left, right: int64[n], places of the wanted ids. Memory: 16 bytes a kind and pair, and CHUNK_BYTES.

    A rule takes a pair where one of its channels does. Where none does and one of them cannot say, since
    nobody has the tokens that its estimate is of, the truth is unknown.
    """
    truths = np.full((2, len(left)), _NO, np.int8)
    numbers = np.zeros((2, len(kinds), len(left)), np.int64)
    for rows in _chunks(features.records, left, right):
        yes, unknown = np.zeros((2, 2, len(left[rows])), bool)
        for number, kind in enumerate(kinds):
            measured = _measurer(features.records[number], left[rows], right[rows])
            for side in (A, B):
                has = features.present[number][side]
                both = has[left[rows]] & has[right[rows]]
                for channel in kind.channels[side]:
                    found = measured(_without_sketch(channel))
                    numbers[:, number, rows] = found.numerator, found.denominator
                    yes[side] |= both & found.accepted
                    unknown[side] |= both & ~found.present
        truths[:, rows] = np.where(yes, _YES, np.where(unknown, _UNKNOWN, _NO))
    return Judgement(truths[A], truths[B], numbers[0], numbers[1])


def why_missed(
    channels: Sequence[tuple[Channel, int]],
    signatures: dict[str, Mapped],
    features: Features,
    left: Int64s,
    right: Int64s,
) -> npt.NDArray[np.int8]:
    """int8[n], places in WHYS: why a run that takes these pairs has not got them.

    channels: the run's, each with the place of its kind. What shares a bucket and is taken when verified
    would be an edge, had it been drawn.
    """
    no_bucket, not_drawn, refused, no_sketch = range(len(WHYS))
    whys = np.empty(len(left), np.int8)
    every = [*signatures.values(), *features.records]
    for rows in _chunks(every, left, right):
        seen, shares, taken = np.zeros((3, len(left[rows])), bool)
        for channel, number in channels:
            sketches, records = signatures[channel.name], features.records[number]
            ids, one, other = _distinct(left[rows], right[rows])
            found = measure(channel, _usable(channel, sketches.take(ids), records.take(ids)), one, other)
            seen |= found.present
            shares |= found.agreeing_bands > 0
            taken |= found.accepted
        drawn = np.where(taken, not_drawn, refused)
        whys[rows] = np.where(~seen, no_sketch, np.where(shares, drawn, no_bucket))
    return whys


def _measurer(records: Mapped, left: Int64s, right: Int64s) -> Callable[[Channel], Measures]:
    """Measures these pairs by a channel's rule; by equal rules once."""
    ids, one, other = _distinct(left, right)
    values = records.take(ids)
    sketches = pc.if_else(values.is_valid(), pa.scalar(b"", pa.large_binary()), None)
    known: dict[Match, Measures] = {}

    def measured(channel: Channel) -> Measures:
        if channel.match not in known:
            known[channel.match] = measure(channel, ChannelFeatures(sketches, values), one, other)
        return known[channel.match]

    return measured


def _without_sketch(channel: Channel) -> Channel:
    """The rule alone: no permutations, no bands, and the tokens themselves in place of their estimate."""
    rule = "jaccard" if channel.match.rule == "agreement" else channel.match.rule
    return replace(
        channel,
        minhash=replace(channel.minhash, permutations=0),
        bands=Bands(0, 0),
        match=replace(channel.match, rule=rule, min_agreeing_bands=0),
    )


def _usable(channel: Channel, signatures: pa.Array, records: pa.Array) -> ChannelFeatures:
    """What needs a record and has none is not there."""
    if channel.match.rule != "agreement":
        signatures = pc.if_else(records.is_valid(), signatures, None)
    return ChannelFeatures(signatures, records)


def _distinct(left: Int64s, right: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """(the places in either, left and right as places in these)."""
    ids, at = np.unique(np.concatenate([left, right]), return_inverse=True)
    return ids, at[: len(left)], at[len(left) :]


def _chunks(values: Sequence[Mapped], left: Int64s, right: Int64s) -> Iterator[slice]:
    """Slices of the pairs whose ends have about CHUNK_BYTES of these values."""
    each = np.full(len(left), 64, np.int64)  # of a pair itself
    for mapped in values:
        sizes = mapped.sizes()
        each += sizes[left] + sizes[right]
    chunk = np.cumsum(each) // CHUNK_BYTES
    cuts = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(left)]
    yield from (slice(start, stop) for start, stop in pairwise(cuts) if start < stop)
