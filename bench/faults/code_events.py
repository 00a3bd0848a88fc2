"""Faults in code that reads events, or says which version of an id counts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import shared.events
import shared.lsh
import shared.minhash
import shared.similarity
import shared.sketch
import shared.versions
from bench.faults.log import START
from bench.faults.patches import Around, Patch, around, code, constant
from parity.faults import Fault
from shared.versions import Resolved


def _events(change: Callable[[pa.Table], pa.Table]) -> Callable[[], Patch]:
    """The stream's parser gives other events."""

    def parse(original: Around, records: pa.Table) -> shared.events.Parsed:
        parsed = original(records)
        return shared.events.Parsed(change(parsed.events), parsed.dead)

    return around(shared.events, "parse", parse)


def _set(events: pa.Table, name: str, values: Any) -> pa.Table:
    place = events.schema.get_field_index(name)
    return events.set_column(
        place, events.schema.field(name), pa.array(values, events.schema.field(name).type)
    )


def _drop(item: str) -> Callable[[pa.Table], pa.Table]:
    return lambda events: events.filter(pc.not_equal(events.column("id"), item))


def _edited(item: str, **values: Any) -> Callable[[pa.Table], pa.Table]:
    def change(events: pa.Table) -> pa.Table:
        mine = pc.equal(events.column("id"), item)
        for name, value in values.items():
            kind = events.schema.field(name).type
            place = events.schema.get_field_index(name)
            column = pc.if_else(mine, pa.scalar(value, kind), events.column(name))
            events = events.set_column(place, events.schema.field(name), column)
        return events

    return change


def _renamed(events: pa.Table) -> pa.Table:
    """One id is read with its case folded."""
    ids = [name.upper() if name == "e04" else name for name in events.column("id").to_pylist()]
    return _set(events, "id", ids)


def _skewed_clock(events: pa.Table) -> pa.Table:
    """The broker of partition 1 is a minute ahead."""
    append = events.column("append_time").to_numpy().copy()
    append[events.column("partition").to_numpy() == 1] += 60_000
    return _set(events, "append_time", append)


@contextmanager
def _edits_ignored() -> Iterator[None]:
    """The first version of an id that comes is kept for ever."""
    seen: set[str] = set()

    def first_only(events: pa.Table) -> pa.Table:
        keep = []
        for name in events.column("id").to_pylist():
            keep.append(name not in seen)
            seen.add(name)
        return events.filter(pa.array(keep, pa.bool_()))

    with _events(first_only)():
        yield


def _delete_loses(original: Around, events: pa.Table, *rest: Any) -> Resolved:
    """At one time the upsert wins: `op` sorts the other way."""
    names = {"delete": "zzz", "upsert": "upsert", "zzz": "delete"}
    turned = _set(events, "op", [names[op] for op in events.column("op").to_pylist()])
    found = original(turned, *rest)
    back = (
        _set(table, "op", [names[op] for op in table.column("op").to_pylist()])
        for table in vars(found).values()
    )
    return Resolved(*back)


def _last_append(original: Around, events: pa.Table) -> pa.Table:
    """Of repeats the last record counts."""
    append = events.column("append_time").to_numpy()
    found = original(_set(events, "append_time", -append))
    return _set(found, "append_time", -found.column("append_time").to_numpy())


def _times(**changes: Any) -> Callable[[], Patch]:
    return around(
        shared.versions,
        "resolve",
        lambda original, events, times, *rest: original(events, replace(times, **changes), *rest),
    )


EVENT_FAULTS: Sequence[Fault] = (
    code("an event is dropped", "event", "missing", _events(_drop("h03")), roots=1),
    code(
        "an event is edited on its way", "event", "wrong", _events(_edited("h03", digest=bytes(32))), roots=1
    ),
    code("an event comes under another id", "event", "missing", _events(_renamed), roots=2),
    code("an event's time is off", "event", "wrong", _events(_edited("h03", event_time=START + 1)), roots=1),
    code("a broker's clock is ahead", "event", "wrong", _events(_skewed_clock)),
    code("edits are ignored", "event", "wrong", _edits_ignored),
    code(
        "an upsert wins over a delete of its time",
        "event",
        "wrong",
        around(shared.versions, "resolve", _delete_loses),
    ),
    code(
        "of repeats the last counts",
        "event",
        "wrong",
        around(shared.versions, "_first_appends", _last_append),
    ),
    code("max_skew is ignored", "event", "wrong", _times(max_skew_ms=None)),
    code("max_lateness is ignored", "event", "wrong", _times(max_lateness_ms=None)),
    code(
        "long ids are dead letters", "event", "missing", constant(shared.events, "MAX_ID_BYTES", 32), roots=2
    ),
)
