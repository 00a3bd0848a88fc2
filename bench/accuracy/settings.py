"""Recall against the share of pairs that are verified, for other bands, rows and cuts than a preset's.

From tokens that are extracted once; no engine runs. One channel of the preset is varied, the others stay as
they are. Draws of the varied channel are left out of account: in buckets of 250 photographs they cut little.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from bench.accuracy.pictures import pooled, read
from bench.accuracy.probe import Features, drawn
from bench.accuracy.protocol import Protocol
from bench.accuracy.scoring import Answers
from shared import lsh, minhash
from shared.extractors.protocol import Extractor
from shared.similarity import NO_MATCH, ChannelFeatures, verify
from shared.spec import Bands, Channel, Spec

BANDS = (16, 32, 64, 128, 256, 512)
ROWS = (1, 2, 3)
AGREEING = (2, 3, 4, 6, 8)  # bands
KEPT = (1, 3, 10, 30)  # candidates a query
_CUT = ((128, 1), (256, 1), (512, 1))  # bands x rows that are cut, too

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """extractor: of the varied channel. cut: "", `agreeing >= n` or `best k`.

    recall: of positives whose original is a candidate and matches. share: of the pairs of different
    photographs, those that the varied channel verifies: candidates of any channel, after the cut.
    """

    preset: str
    extractor: str
    bands: int
    rows: int
    cut: str
    recall: float
    share: float


def settings(
    protocol: Protocol, spec: Spec, features: Features, files: list[Path], cache: Path
) -> list[Setting]:
    """features, files: of protocol.items. cache: a folder that belongs to these files."""
    size = len(protocol.database)
    at = varied(spec)
    channel = spec.channels[at]
    others = [(c, f) for i, (c, f) in enumerate(zip(spec.channels, features, strict=True)) if i != at]
    asked = np.flatnonzero([query.original >= 0 for query in protocol.queries])
    shown = np.array([protocol.queries[row].original for row in asked])
    free = replace(channel, match=replace(channel.match, min_agreeing_bands=0))
    accepted = _accepts([(free, features[at])], asked + size, shown)
    accepted_elsewhere = _accepts(others, asked + size, shown)
    candidates = drawn([c for c, _ in others], [f for _, f in others], size) if others else None

    def setting(bands: int, rows: int, cut: str, kept: Answers, needed: int = 0) -> Setting:
        if candidates is not None:
            kept = kept | candidates
        verified = kept & (agreeing >= needed)
        found = (verified[asked, shown] & accepted) | (kept[asked, shown] & accepted_elsewhere)
        share = float(verified[~protocol.same_photograph].mean())
        return Setting(spec.name, channel.extractor_name, bands, rows, cut, float(found.mean()), share)

    found: list[Setting] = []
    extracted = tokens(channel, features[at], files, cache)
    for rows in ROWS:
        for bands, agreeing in _agreeing(*extracted, rows, channel.minhash.seed, size):
            found.append(setting(bands, rows, "", agreeing > 0))
            if (bands, rows) in _CUT:
                found += [setting(bands, rows, f"agreeing >= {n}", agreeing > 0, n) for n in AGREEING]
                found += [setting(bands, rows, f"best {k}", _best(agreeing, k)) for k in KEPT]
    return found


def varied(spec: Spec) -> int:
    """Which channel: the first whose tokens are more than the bits of a hash, else the first."""
    found = [i for i, channel in enumerate(spec.channels) if not channel.extractor.bit_count]
    return found[0] if found else 0


def tokens(
    channel: Channel, feature: ChannelFeatures, files: list[Path], cache: Path
) -> tuple[npt.NDArray[np.uint64], Int64s]:
    """(tokens, offsets) of the files' pictures; kept in `cache`, and made anew where they do not give the
    signatures that the engines stored.
    """
    file = cache / f"tokens-{channel.extractor_name}-{len(files)}.npz"
    if file.exists():
        with np.load(file) as held:
            kept = held["tokens"], held["offsets"]
        if _give(*kept, channel, feature):
            return kept
    each = list(pooled(partial(_tokens, channel.extractor), files, f"tokens of {channel.extractor_name}"))
    offsets = np.concatenate([[0], np.cumsum([len(found) for found in each])]).astype(np.int64)
    found: tuple[npt.NDArray[np.uint64], Int64s] = (np.concatenate(each), offsets)
    if not _give(*found, channel, feature):
        raise ValueError(f"{channel.extractor_name} gives other tokens here than it gave in the engines")
    np.savez(file, tokens=found[0], offsets=found[1])
    return found


def _give(
    tokens: npt.NDArray[np.uint64], offsets: Int64s, channel: Channel, feature: ChannelFeatures
) -> bool:
    """Whether these tokens have the signatures of `feature`."""
    present = feature.signatures.is_valid().to_numpy(zero_copy_only=False)
    if len(offsets) != len(present) + 1 or not np.array_equal(np.diff(offsets) > 0, present):
        return False
    signatures = minhash.signatures(tokens, offsets, channel.minhash.permutations, channel.minhash.seed)
    stored = b"".join(feature.signatures.drop_null().to_pylist())
    return bool(signatures[present].astype("<u4").tobytes() == stored)


def _tokens(extractor: Extractor, file: Path) -> npt.NDArray[np.uint64]:
    found: npt.NDArray[np.uint64] = extractor.extract([read(file)]).tokens
    return found


def _accepts(channels: list[tuple[Channel, Any]], later: Int64s, earlier: Int64s) -> npt.NDArray[np.bool_]:
    """bool[pairs]: whether one of these channels takes the pair for a match."""
    if not channels:
        return np.zeros(len(later), np.bool_)
    found = verify([c for c, _ in channels], [f for _, f in channels], later, earlier)
    return np.asarray(found.channel != NO_MATCH)


def _agreeing(
    tokens: npt.NDArray[np.uint64], offsets: Int64s, rows: int, seed: int, size: int
) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
    """(bands, int32[queries, database]: how many of the first `bands` bands agree), for all of BANDS."""
    signatures = minhash.signatures(tokens, offsets, max(BANDS) * rows, seed)
    values = lsh.buckets(signatures, Bands(max(BANDS), rows))
    empty = np.diff(offsets) == 0
    agreeing = np.zeros((len(values) - size, size), np.int32)
    for start, stop in zip((0, *BANDS[:-1]), BANDS, strict=True):
        _count(values[size:, start:stop], values[:size, start:stop], agreeing)
        yield stop, np.where(empty[size:, None] | empty[None, :size], 0, agreeing)


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def _count(asked: npt.NDArray[np.uint64], shown: npt.NDArray[np.uint64], out: npt.NDArray[np.int32]) -> None:
    for q in prange(len(asked)):
        for d in range(len(shown)):
            for band in range(asked.shape[1]):
                out[q, d] += asked[q, band] == shown[d, band]


def _best(agreeing: npt.NDArray[np.int32], keep: int) -> Answers:
    """The `keep` with most agreeing bands of each query's candidates; ties to the earlier."""
    order = np.argsort(-agreeing, axis=1, kind="stable")[:, :keep]
    kept = np.zeros(agreeing.shape, np.bool_)
    np.put_along_axis(kept, order, True, axis=1)
    return kept & (agreeing > 0)
