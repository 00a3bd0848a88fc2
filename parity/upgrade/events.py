"""Do both runs hold the same events? Where not, no spec explains what differs."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from parity.details import with_fields
from parity.diff import dead_letters
from parity.result import Difference
from parity.upgrade.parted import partings
from parity.upgrade.result import Events, StatusChange
from shared.run import ITEMS, Run

LISTED = 100
EVENT = [name for name in ITEMS.digested if name != "status"]


def hold_events(a: Run, b: Run) -> tuple[Events, pa.Array]:
    """(what of the events differs, the ids whose events are not equal: string).

    Memory: a part of the rows, and the ids that differ. Raises SourceError.
    """
    counts: Counter[str] = Counter()
    statuses: Counter[tuple[str, str]] = Counter()
    unequal = [pa.array([], pa.string())]
    first: list[Difference] = []
    for parted in partings(a, b, ITEMS, EVENT):
        left, right = (_ids(table) for table in (parted.a_only, parted.b_only))
        wrong = pc.is_in(left, right)
        kinds = {
            "missing": left.filter(pc.invert(wrong)),
            "wrong": left.filter(wrong),
            "extra": right.filter(pc.invert(pc.is_in(right, left))),
        }
        for kind, ids in kinds.items():
            counts[kind] += len(ids)
            unequal.append(ids)
            some = ids.take(pc.sort_indices(ids)[:LISTED]).to_pylist()
            first += (Difference("event", kind, item, None, (), 0) for item in some)
        statuses.update(_statuses(parted.a_both, parted.b_both))
    listed = with_fields(a, b, sorted(first, key=lambda difference: difference.id)[:LISTED])
    changes = (StatusChange(*pair, items) for pair, items in sorted(statuses.items()))
    found = Events(
        counts["missing"], counts["extra"], counts["wrong"], listed, dead_letters(a, b), tuple(changes)
    )
    return found, pa.concat_arrays(unequal)


def _ids(items: pa.Table) -> pa.Array:
    """string: each once, however many rows a damaged run has of it."""
    return pc.unique(items.column("id").combine_chunks())


def _statuses(a: pa.Table, b: pa.Table) -> dict[tuple[str, str], int]:
    """(status in A, status in B) -> rows, of those where they are not equal."""
    pairs = pa.table({"a": a.column("status"), "b": b.column("status")})
    differ = pairs.filter(pc.not_equal(*pairs.columns))
    counted = differ.group_by(["a", "b"]).aggregate([([], "count_all")]).to_pylist()
    return {(row["a"], row["b"]): row["count_all"] for row in counted}
