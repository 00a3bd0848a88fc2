"""Cluster heads on the driver, where edges and records fit into its memory. Twin: decide_joins.

Items decide one after the other in priority order, so a sweep sees the final heads of all earlier items
except where a head check is missing. What is missing is verified between sweeps, all at once; the
first sweep in which nothing is, is the answer.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numba import njit

from batch.components import union_find
from batch.job import Job
from batch.known import Int8s, Int64s, Known, find, find_all, join, known
from batch.mapped import by_rank, channel_features
from batch.tasks import Counts
from shared.heads import BECOMES_HEAD, UNDECIDED, UNKNOWN, decide
from shared.similarity import NO_MATCH, ChannelFeatures, verify

ASSIGNED_SCHEMA = pa.schema(
    [
        ("item", pa.int64()),
        ("head", pa.int64()),
        ("channel", pa.int32()),
        ("numerator", pa.int64()),
        ("denominator", pa.int64()),
    ]
)


def decide_on_driver(job: Job) -> tuple[pa.Table, Counts]:
    """ASSIGNED_SCHEMA of the items that have an edge (ranks). counts: rounds, head_checks."""
    results = ds.dataset(job.work("verified", "results"), format="parquet").to_table()
    later, earlier = (results.column(name).to_numpy() for name in ("later", "earlier"))
    matched = results.column("channel").to_numpy() != NO_MATCH
    nodes = np.unique(np.concatenate([later[matched], earlier[matched]]))
    # Pairs that do not match count too, where a head check may ask for them.
    kept = results.filter(pa.array(np.isin(later, nodes) & np.isin(earlier, nodes)))
    pairs = known(
        len(nodes),
        *(np.searchsorted(nodes, kept.column(name).to_numpy()) for name in ("later", "earlier")),
        *(kept.column(name).to_numpy() for name in ("channel", "numerator", "denominator")),
    )
    if job.spec.clusters.rule == "components":
        match = pairs.channel != NO_MATCH
        head = union_find(len(nodes), pairs.later[match], pairs.earlier[match])
        return _assigned(nodes, head, pairs), {"rounds": 0, "head_checks": 0}
    head, pairs, counts = _by_rounds(job, nodes, pairs)
    return _assigned(nodes, head, pairs), counts


def _by_rounds(job: Job, nodes: Int64s, pairs: Known) -> tuple[Int64s, Known, Counts]:
    edge_starts, edge_earlier = _edges(pairs)
    head = np.arange(len(nodes))
    have = np.diff(edge_starts) > 0
    head[have] = edge_earlier[edge_starts[:-1][have]]  # the guess: the earliest item that each matches
    features: tuple[ChannelFeatures, ...] = ()
    rounds = checks = 0
    while True:
        rounds += 1
        columns = (pairs.starts, pairs.earlier, pairs.channel, pairs.numerator, pairs.denominator)
        needed_later, needed_earlier = _sweep(edge_starts, edge_earlier, *columns, head)
        if not len(needed_later):
            return head, pairs, {"rounds": rounds, "head_checks": checks}
        checks += len(needed_later)
        features = features or _load_features(job, nodes)
        found = verify(job.spec.channels, features, needed_later, needed_earlier)
        result = (found.channel, found.numerator, found.denominator)
        pairs = join(pairs, known(len(nodes), needed_later, needed_earlier, *result))


def _edges(pairs: Known) -> tuple[Int64s, Int64s]:
    """(starts int64[nodes + 1], earlier): of each node the earlier nodes that it matches, in order."""
    match = pairs.channel != NO_MATCH
    return np.concatenate([[0], np.cumsum(match)])[pairs.starts], pairs.earlier[match]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sweep(
    edge_starts: Int64s,
    edge_earlier: Int64s,
    starts: Int64s,
    earlier: Int64s,
    channel: Int8s,
    numerator: Int64s,
    denominator: Int64s,
    head: Int64s,
) -> tuple[Int64s, Int64s]:
    """Let every node decide, in order, with the heads there are; writes `head`.

    (later, earlier): the pairs that are UNKNOWN and were asked for, each once. A node that asks keeps
    its head for now.
    """
    most = max(1, int(np.max(edge_starts[1:] - edge_starts[:-1]))) if len(head) else 1
    c, n, d = np.empty(most, np.int8), np.empty(most, np.int64), np.empty(most, np.int64)
    bounds = np.zeros(2, np.int64)
    needed_later, needed_earlier = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for x in range(len(head)):
        if edge_starts[x] == edge_starts[x + 1]:
            continue
        possible = np.unique(head[edge_earlier[edge_starts[x] : edge_starts[x + 1]]])
        bounds[1] = len(possible)
        for i, h in enumerate(possible):
            row = find(starts, earlier, x, h)
            c[i] = channel[row] if row >= 0 else UNKNOWN
            n[i] = numerator[row] if row >= 0 else 0
            d[i] = denominator[row] if row >= 0 else 0
        chosen = decide(bounds, c, n, d)[0]
        if chosen == UNDECIDED:
            for i, h in enumerate(possible):
                if c[i] == UNKNOWN:
                    needed_later.append(np.int64(x))
                    needed_earlier.append(h)
        else:
            head[x] = x if chosen == BECOMES_HEAD else possible[chosen]
    return np.array(needed_later, dtype=np.int64), np.array(needed_earlier, dtype=np.int64)


def _load_features(job: Job, nodes: Int64s) -> tuple[ChannelFeatures, ...]:
    """Of each node, in order."""
    rows = by_rank(pa.concat_tables(_node_rows(job, nodes)))
    return channel_features(rows, len(job.spec.channels))


def _node_rows(job: Job, nodes: Int64s) -> Iterator[pa.Table]:
    wanted = pa.array(nodes)
    for batch in ds.dataset(job.work("features", "index"), format="parquet").to_batches():
        table = pa.table(batch)
        yield table.filter(pc.is_in(table.column("rank"), wanted))


def _assigned(nodes: Int64s, head: Int64s, pairs: Known) -> pa.Table:
    row = find_all(pairs.starts, pairs.earlier, np.arange(len(nodes)), head)
    match = row >= 0
    match[match] = pairs.channel[row[match]] != NO_MATCH

    def strength(values: npt.NDArray[np.generic], without: int) -> Int64s:
        column = np.full(len(nodes), without, np.int64)
        column[match] = values[row[match]]
        return column

    return pa.table(
        [
            nodes,
            nodes[head],
            strength(pairs.channel, NO_MATCH).astype(np.int32),
            strength(pairs.numerator, 0),
            strength(pairs.denominator, 0),
        ],
        schema=ASSIGNED_SCHEMA,
    )
