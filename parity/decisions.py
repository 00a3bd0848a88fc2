"""Does a cluster row follow from its own run's edges and heads? Where it does not, that row is a cause.

What `decide` says of an item given everybody's heads as the run has them: the engines end where that is so
of every item. A row that differs from the other run's and follows from its own differs for another's sake.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parity.explain.features import columns as feature_columns
from parity.explain.features import whole
from parity.rows import parts
from shared import digests
from shared.heads import BECOMES_HEAD, decide, priority_key
from shared.run import CLUSTERS, EDGES, ITEMS, SIGNATURES, STAGES, VERIFICATION, Run
from shared.similarity import NO_MATCH, verify
from shared.sketch import INDEXED
from shared.spec import Channel, from_dict
from shared.stored import Piece

Match = tuple[int, int, int]  # the channel's order or or NO_MATCH, numerator, denominator
Row = dict[str, Any]


def do_not_follow(run: Run, ids: Collection[str]) -> set[str]:
    """Those of these ids whose head is not the one that the run's own edges and heads give them.

    For the rule `heads`. Reads the shards of the ids, of their earlier neighbours and of these's heads.
    """
    channels = from_dict(run.manifest["spec"]).channels
    order = {channel.name: place for place, channel in enumerate(channels)}
    edges: dict[str, dict[str, Match]] = {item: {} for item in ids}
    for row in _rows(run, EDGES.name, ids):
        match = (order.get(row["channel"], NO_MATCH), row["numerator"], row["denominator"])
        edges[row["later"]][row["earlier"]] = match
    near = {*ids, *(other for matches in edges.values() for other in matches)}
    head_of = {row["id"]: row for row in _rows(run, CLUSTERS.name, near)}
    possible = {
        item: {head_of[other]["head"] for other in matches if other in head_of}
        for item, matches in edges.items()
    }
    priority = {
        row["id"]: priority_key(row["effective_time"], row["version_time"], row["id"].encode())
        for row in _rows(run, ITEMS.name, {head for heads in possible.values() for head in heads})
    }
    indexed = {row["id"] for row in _rows(run, ITEMS.name, ids) if row["status"] in INDEXED}
    pairs = [
        (item, head)
        for item, heads in possible.items()
        for head in sorted(heads & priority.keys(), key=priority.__getitem__)
    ]
    known = {pair: edges[pair[0]].get(pair[1]) for pair in pairs}
    checked = _verified(run, channels, [pair for pair, match in known.items() if match is None])
    matches = [known[pair] or checked[pair] for pair in pairs]
    columns = np.array(matches, np.int64).reshape(-1, 3)
    starts = np.cumsum([0, *(len(heads & priority.keys()) for heads in possible.values())])
    chosen = decide(starts, columns[:, 0].astype(np.int8), columns[:, 1].copy(), columns[:, 2].copy())
    wrong = set()
    for item, row in zip(possible, chosen.tolist(), strict=True):
        says = (item, "", 0, 0)
        if row != BECOMES_HEAD:
            channel, numerator, denominator = matches[row]
            says = (pairs[row][1], channels[channel].name, numerator, denominator)
        stored = head_of.get(item)
        has = stored and tuple(stored[n] for n in ("head", "channel", "numerator", "denominator"))
        if has != (says if item in indexed else None):
            wrong.add(item)
    return wrong


def _verified(
    run: Run, channels: tuple[Channel, ...], pairs: list[tuple[str, str]]
) -> Mapping[tuple[str, str], Match]:
    """What verification says of pairs that have no edge: the head checks."""
    names = sorted({item for pair in pairs for item in pair})
    place = {name: i for i, name in enumerate(names)}
    rows = {
        (name, row["id"], row["channel"]): row[name]
        for stage, name in ((SIGNATURES, "signature"), (VERIFICATION, "record"))
        for row in _rows(run, stage.name, names)
    }
    spec = from_dict(run.manifest["spec"])
    pieces = [
        whole(
            spec,
            [Piece(*(rows.get((n, item, c.name)) for n in ("signature", "record"))) for c in channels],
        )
        for item in names
    ]
    features = feature_columns(spec, pieces)
    left, right = (np.array([place[pair[side]] for pair in pairs], np.int64) for side in (0, 1))
    found = verify(channels, features, left, right)
    numbers = zip(found.channel.tolist(), found.numerator.tolist(), found.denominator.tolist(), strict=True)
    return dict(zip(pairs, numbers, strict=True))


def _rows(run: Run, stage: str, ids: Collection[str]) -> Iterator[Row]:
    """The rows of these ids, a bounded part at a time."""
    by = STAGES[stage].shard_by
    wanted = pa.array(sorted(ids), pa.string())
    shards = sorted({int(shard) for shard in digests.shards(wanted)})
    for part in parts(run, run, stage, shards):
        table = run.read(stage, part)
        yield from table.filter(pc.is_in(table.column(by), wanted)).to_pylist()
