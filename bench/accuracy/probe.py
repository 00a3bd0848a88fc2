"""Each query against the database alone: what a run over the database and this one query would say.

Nothing is decided here: features are what the engines stored, and shared/ draws, verifies and decides. A
query is later than all of the database, so it changes nothing among those; and its rank in a bucket is the
number of photographs that are in it. tests/bench/test_probe.py holds it against real runs, one a query.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from bench.accuracy.protocol import Protocol
from bench.accuracy.scoring import Answers
from shared import lsh
from shared.errors import SpecError
from shared.heads import BECOMES_HEAD, decide
from shared.run import Run
from shared.similarity import NO_MATCH, ChannelFeatures, Matches, verify
from shared.spec import Channel, Spec

Int64s = npt.NDArray[np.int64]
Features = list[ChannelFeatures]  # one a channel, of the same items

_AT_ONCE = 50_000  # pairs


@dataclass(frozen=True)
class Probed:
    """bool[queries, database] each: an edge or a common cluster; drawn in some bucket; and, of those drawn,
    what the last channel verifies (the others come by its `min_agreeing_bands`).
    """

    answers: Answers
    candidates: Answers
    verified: Answers


def probe(spec: Spec, features: Features, size: int) -> Probed:
    """The first `size` items are the database in priority order, all others queries.

    SpecError where clusters are not decided by heads.
    """
    if spec.clusters.rule != "heads":
        raise SpecError(
            f"clusters.rule is {spec.clusters.rule!r}; the probe of single queries knows heads alone"
        )
    channels, total = spec.channels, len(features[0].signatures)
    heads = np.arange(total)
    edges = np.zeros((total, size), np.bool_)
    later, earlier = _within(channels, features, size)
    matched = verify(channels, features, later, earlier).channel != NO_MATCH
    edges[later[matched], earlier[matched]] = True
    for row in range(size):
        heads[row : row + 1] = _join(channels, features, edges, heads, np.array([row]))

    candidates = drawn(channels, features, size)
    asked, shown = np.nonzero(candidates)
    matched = verify(channels, features, asked + size, shown).channel != NO_MATCH
    edges[asked[matched] + size, shown[matched]] = True
    heads[size:] = _join(channels, features, edges, heads, np.arange(size, total))
    together = heads[size:, None] == heads[None, :size]
    verified = candidates & _enough_bands(channels[-1], features[-1], candidates)
    return Probed(np.asarray(edges[size:] | together), candidates, verified)


def read_features(protocol: Protocol, run: Run) -> Features:
    """The features of protocol.items as the run has them."""
    tables = [run.read(stage) for stage in ("signatures", "verification")]
    ids = pa.array(protocol.items, pa.string())
    found = []
    for channel in run.manifest["contract"]["channels"]:
        columns = []
        for table, column in zip(tables, ("signature", "record"), strict=True):
            rows = table.filter(pc.equal(table.column("channel"), channel["name"]))
            known, values = (pa.concat_arrays(rows.column(name).chunks) for name in ("id", column))
            columns.append(values.cast(pa.large_binary()).take(pc.index_in(ids, value_set=known)))
        found.append(ChannelFeatures(*columns))
    return found


def drawn(channels: Sequence[Channel], features: Features, size: int) -> Answers:
    """bool[queries, database]: what each query draws, when it is the last in each of its buckets."""
    total = len(features[0].signatures)
    found = np.zeros((total - size, size), np.bool_)
    for channel, feature in zip(channels, features, strict=True):
        present, values = lsh.item_buckets(feature.signatures, channel)
        split = int(np.searchsorted(present, size))
        for band in range(channel.bands.count):
            order = np.argsort(values[:split, band], kind="stable")  # priority inside a bucket
            members = values[:split, band][order]
            starts, stops = (
                np.searchsorted(members, values[split:, band], side) for side in ("left", "right")
            )
            draws = (channel.draws.first, channel.draws.near)
            _mark(found, present[split:] - size, starts, stops, present[:split][order], *draws)
    return found


def _enough_bands(channel: Channel, feature: ChannelFeatures, candidates: Answers) -> Answers:
    """bool[queries, database]: of the candidates, those with the channel's `min_agreeing_bands`."""
    size = candidates.shape[1]
    present, values = lsh.item_buckets(feature.signatures, channel)
    row = np.full(size + len(candidates), -1)
    row[present] = np.arange(len(present))
    asked, shown = np.nonzero(candidates)
    pairs = np.stack([row[asked + size], row[shown]])
    there = (pairs >= 0).all(axis=0)
    enough = np.zeros_like(candidates)
    for part in np.array_split(np.flatnonzero(there), 1 + len(asked) // _AT_ONCE):
        agreeing = (values[pairs[0, part]] == values[pairs[1, part]]).sum(axis=1)
        enough[asked[part], shown[part]] = agreeing >= channel.match.min_agreeing_bands
    return enough


@njit(cache=True)  # type: ignore[untyped-decorator]
def _mark(
    found: Answers, rows: Int64s, starts: Int64s, stops: Int64s, members: Int64s, first: int, near: int
) -> None:
    for i in range(len(rows)):
        end, start = lsh.compiled_draw_bounds(stops[i] - starts[i], first, near)
        for rank in range(end):
            found[rows[i], members[starts[i] + rank]] = True
        for rank in range(start, stops[i] - starts[i]):
            found[rows[i], members[starts[i] + rank]] = True


def _within(channels: Sequence[Channel], features: Features, size: int) -> tuple[Int64s, Int64s]:
    """(later, earlier): the pairs that the database draws among itself, each once."""
    codes = [np.empty(0, np.int64)]
    for channel, feature in zip(channels, features, strict=True):
        present, values = lsh.item_buckets(feature.signatures, channel)
        split = int(np.searchsorted(present, size))
        for band in range(channel.bands.count):
            order = np.argsort(values[:split, band], kind="stable")
            members = values[:split, band][order]
            new = np.flatnonzero(np.diff(members)) + 1
            starts = np.concatenate([[0], new, [split]]).astype(np.int64)
            draws = (np.full(len(starts) - 1, n) for n in (channel.draws.first, channel.draws.near))
            pairs = lsh.draw(starts, 0, *draws)
            rows = present[:split][order]
            codes.append(rows[pairs[0]] * size + rows[pairs[1]])
    later, earlier = np.divmod(np.unique(np.concatenate(codes)), size)
    return later, earlier


def _join(
    channels: Sequence[Channel], features: Features, edges: Answers, heads: Int64s, rows: Int64s
) -> Int64s:
    """The head of each of these rows, none of which another one of them can join."""
    size = edges.shape[1]
    possible = np.zeros((len(rows), size), np.bool_)
    asked, shown = np.nonzero(edges[rows])
    possible[asked, heads[shown]] = True
    asked, shown = np.nonzero(possible)  # in the order of rows, then of priority
    results: Matches = verify(channels, features, rows[asked], shown)
    starts = np.searchsorted(asked, np.arange(len(rows) + 1))
    chosen = decide(starts, results.channel, results.numerator, results.denominator)
    joined = np.append(shown, 0)[chosen]
    return np.where(chosen == BECOMES_HEAD, rows, joined)
