"""One micro-batch: records in, a changed state and the cluster changes out. No effect outside the overlay."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import pyarrow as pa

from shared import events, versions
from shared.sketch import INDEXED, Sketched, sketch
from shared.spec import Spec
from stream import state
from stream.changes import ClusterChange, cluster_changes
from stream.index import Entry, Index
from stream.meta import state_counts, state_watermark
from stream.settle import put_cluster, settle
from stream.state import Item
from stream.stores.overlay import Overlay
from stream.stores.protocol import Reader

Sketcher = Callable[[pa.Table], Sketched]
"""`sketch` with its spec: winning events (WINNER_SCHEMA) to their statuses and features."""


@dataclass(frozen=True)
class Outcome:
    """`state.changes` is to be written together; `dead`: events.DEAD_SCHEMA; `counts`: of this batch."""

    state: Overlay
    changes: list[ClusterChange]
    dead: pa.Table
    counts: dict[str, int]


@dataclass(frozen=True)
class _Winners:
    """What resolving some ids found.

    old: item key -> the row that the state has of it, if any. keys: the item key of each winner.
    fresh: the winners whose record is not the one that the state has; these are to be sketched.
    """

    old: dict[bytes, Item | None]
    resolved: versions.Resolved
    keys: list[bytes]
    fresh: list[int]

    @property
    def new(self) -> pa.Table:
        """WINNER_SCHEMA: the fresh ones."""
        return self.resolved.winners.take(pa.array(self.fresh, pa.int64()))


@dataclass
class _Work:
    """What resolving found is to be done: ids by what happens to them."""

    rows: dict[bytes, Item] = field(default_factory=dict)  # item key -> its new row
    gone: set[bytes] = field(default_factory=set)  # item keys that no event counts for any more
    remove: list[bytes] = field(default_factory=list)  # priority keys
    insert: list[Entry] = field(default_factory=list)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A batch makes many small objects and no cycles; to walk them again and again takes a fifth of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def likely_winners(spec: Spec, store: Reader, records: pa.Table) -> pa.Table:
    """The events (WINNER_SCHEMA) that `apply` would sketch of these records if the state stayed as it is.

    Not all that it will sketch, nor only that, where it is called after other records were applied.
    """
    overlay, new = Overlay(store), events.parse(records).events
    return _winners(spec, overlay, _touched(new), new, versions.NEVER).new


@_without_collector()
def apply(
    spec: Spec, store: Reader, records: pa.Table, positions: dict[int, int], sketcher: Sketcher | None = None
) -> Outcome:
    """Apply records (RECORD_SCHEMA); afterwards the state stands at `positions`.

    sketcher: gives what `sketch` gives, from elsewhere; None = in this process, when it is needed.
    Raises TransientError when a payload's bytes cannot be had now: nothing has happened then.
    """
    overlay = Overlay(store)
    parsed = events.parse(records)
    watermark = max(state_watermark(store, versions.NEVER), versions.watermark(parsed.events, spec.times))
    horizon = versions.horizon(watermark, spec.times)
    work = _resolve(spec, overlay, parsed.events, horizon, sketcher or partial(sketch, spec))
    index = Index(spec, overlay)
    for item, row in work.rows.items():
        overlay.put("items", item, row.pack())
    for item in work.gone:
        overlay.put("items", item, None)
    if work.remove:
        changed = index.remove(work.remove)
        for key in work.remove:
            put_cluster(index, key, None)
        settle(index, changed)
    if work.insert:
        settle(index, index.insert(work.insert))
    index.flush()
    changes = cluster_changes(index, store)
    for partition, offset, reason in zip(
        *(parsed.dead.column(name).to_pylist() for name in ("partition", "offset", "reason")), strict=True
    ):
        overlay.put("dead", partition.to_bytes(4, "big") + offset.to_bytes(8, "big"), reason.encode())
    counts = {
        "records": records.num_rows,
        "events": parsed.events.num_rows,
        "dead_letters": parsed.dead.num_rows,
        "pairs_verified": index.verified,
    }
    totals = state_counts(store)
    _put_meta(overlay, state.META_COUNTS, {name: totals.get(name, 0) + n for name, n in counts.items()})
    _put_meta(
        overlay, state.META_OFFSETS, {str(partition): offset for partition, offset in positions.items()}
    )
    _put_meta(overlay, state.META_WATERMARK, watermark)
    return Outcome(overlay, changes, parsed.dead, counts)


def _resolve(spec: Spec, overlay: Overlay, new: pa.Table, horizon: int, sketcher: Sketcher) -> _Work:
    """The winners of every id that these events, or the horizon, touch; and what follows from them."""
    touched = _touched(new)
    if spec.times.retention_ms is not None:
        touched.update({item: item[1:].decode() for item in _expired(overlay, horizon)})
    found = _winners(spec, overlay, touched, new, horizon)
    if spec.times.max_skew_ms is not None:
        _write_kept(spec, overlay, touched, found.resolved)
    return _plan(found, sketcher)


def _touched(new: pa.Table) -> dict[bytes, str]:
    """{item key: id} of these events."""
    ids = new.column("id").unique()
    return dict(zip(state.item_keys(ids), ids.to_pylist(), strict=True))


def _winners(
    spec: Spec, overlay: Overlay, touched: dict[bytes, str], new: pa.Table, horizon: int
) -> _Winners:
    old = {
        item: state.unpack_item(value) if value else None
        for item, value in zip(touched, overlay.get_many("items", list(touched)), strict=True)
    }
    kept = _kept(spec, overlay, touched, old)
    resolved = versions.resolve(pa.concat_tables([new, kept]), spec.times, horizon)
    keys = state.item_keys(resolved.winners.column("id"))
    places = zip(*(resolved.winners.column(c).to_pylist() for c in ("partition", "offset")), strict=True)
    fresh = [
        i
        for i, (item, place) in enumerate(zip(keys, places, strict=True))
        if (was := old[item]) is None or (was.partition, was.offset) != place
    ]
    return _Winners(old, resolved, keys, fresh)


def _kept(spec: Spec, overlay: Overlay, touched: dict[bytes, str], old: dict[bytes, Item | None]) -> pa.Table:
    """The events that the state keeps of these ids; without max_skew the winners, payloads dropped."""
    rows: list[dict[str, Any]] = []
    if spec.times.max_skew_ms is not None:
        for name, value in zip(touched.values(), overlay.get_many("versions", list(touched)), strict=True):
            rows += state.unpack_events(name, value) if value else []
    else:
        for item, name in touched.items():
            if row := old[item]:
                rows.append(
                    {
                        "id": name,
                        "op": row.op,
                        "event_time": row.event_time,
                        "append_time": row.append_time,
                        "digest": row.digest,
                        "partition": row.partition,
                        "offset": row.offset,
                        "kind": "none",
                        "payload": b"",
                    }
                )
    return pa.Table.from_pylist(rows, schema=events.EVENT_SCHEMA)


def _write_kept(spec: Spec, overlay: Overlay, touched: dict[bytes, str], resolved: versions.Resolved) -> None:
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in resolved.kept.to_pylist():
        by_id.setdefault(row["id"], []).append(row)
    winner = dict(
        zip(*(resolved.winners.column(name).to_pylist() for name in ("id", "version_time")), strict=True)
    )
    for item, name in touched.items():
        rows = by_id.get(name, [])
        overlay.put("versions", item, state.pack_events(rows) if rows else None)
        if rows and spec.times.retention_ms is not None:
            # Look again when the winner, or else the last event kept, falls below the horizon.
            due = winner[name] if name in winner else max(row["event_time"] for row in rows)
            overlay.put("ages", state.age_key(due, item), b"")


def _expired(overlay: Overlay, horizon: int) -> list[bytes]:
    """Item keys to be resolved again because their time is below the horizon; forgets those entries."""
    found = []
    for key, _ in overlay.with_prefix("ages", b""):
        if state.age_time(key) >= horizon:
            break
        found.append(key)
    for key in found:
        overlay.put("ages", key, None)
    return [key[8:] for key in found]


def _plan(found: _Winners, sketcher: Sketcher) -> _Work:
    work, new = _Work(), found.new
    sketched = sketcher(new)
    columns = [
        values for f in sketched.features for values in (f.signatures.to_pylist(), f.records.to_pylist())
    ]
    pieces = list(zip(*columns, strict=True)) if found.fresh else []
    rows = new.drop_columns(["id", "kind", "payload"]).to_pylist()
    for place, i in enumerate(found.fresh):
        item, was = found.keys[i], found.old[found.keys[i]]
        now = Item(**rows[place], status=sketched.status[place])
        work.rows[item] = now
        _replace(work, item[1:], was, now, pieces[place])
    # A winner whose record is the same has the same times. What is left are ids without an event that counts.
    work.gone = found.old.keys() - set(found.keys)
    for item in work.gone:
        if was := found.old[item]:
            _replace(work, item[1:], was, None, ())
    return work


def _replace(
    work: _Work, name: bytes, was: Item | None, now: Item | None, pieces: tuple[bytes | None, ...]
) -> None:
    if was is not None and was.status in INDEXED:
        work.remove.append(was.priority_key(name))
    if now is not None and now.status in INDEXED:
        work.insert.append(Entry(now.priority_key(name), pieces))


def _put_meta(overlay: Overlay, name: bytes, value: Any) -> None:
    overlay.put("meta", name, orjson.dumps(value))
