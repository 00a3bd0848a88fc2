"""Does an item's row follow from its record, its features from its payload, its signature from its record?"""

from collections.abc import Iterator

import pyarrow as pa

from parity.explain import features, words
from parity.explain.gather import Gathered
from shared.errors import SourceError
from shared.events import EVENT_SCHEMA, MAX_TIME
from shared.spec import Times
from shared.stored import Event, Piece
from shared.versions import resolve


def event_faults(g: Gathered, item: str) -> Iterator[str]:
    """What of an item's row does not follow from itself, the times of its record, or the lake's record."""
    event, name = g.events.get(item), words.name(item)
    if event is None:
        if g.has(item):
            yield f"rows of later stages are stored of {name}, and none of items"
        return
    if (event.op == "delete") != (event.status == "deleted"):
        yield f"the event of {name} is {event.op} and its status {event.status}"
    if (lake := g.from_lake.get(item)) and lake.wrong:
        yield f"of {name}: {lake.wrong}"
    if abs(event.event_time) > MAX_TIME:
        yield f"the event time of {name} is {event.event_time}, which no event has"
    times = _times(g.about.spec.times, item, event)
    if times is not None and times != (event.version_time, event.effective_time):
        yield (
            f"the version and effective time of {name} are {event.version_time} and {event.effective_time}; "
            f"its record gives {times[0]} and {times[1]}"
        )


def winner(times: Times, item: str, *events: Event) -> Event | None:
    """Which of these events of one id wins; None where a time that this takes is not known."""
    rows = [
        {name: getattr(event, name, None) for name in EVENT_SCHEMA.names}
        | {"id": item, "kind": "none", "payload": b""}
        for event in events
    ]
    try:
        (won,) = resolve(pa.Table.from_pylist(rows, EVENT_SCHEMA), times).winners.to_pylist()
    except (SourceError, ValueError):  # ValueError: none of them is an event
        return None
    place = (won["partition"], won["offset"], won["digest"])
    return next(event for event in events if (event.partition, event.offset, event.digest) == place)


def unread(g: Gathered, event: Event | None) -> str:
    """Whether a side has read an event that it has not got, as the end of a sentence."""
    fence = g.about.fence
    if event is None or fence is None:
        return ""
    position = fence.positions().get(event.partition, 0)
    if event.offset < position:
        return f"; {g.name} has read past its record (partition {event.partition}, offset {event.offset})"
    return (
        f"; {g.name} has not read its record yet (partition {event.partition}, offset {event.offset}: "
        f"{g.name} stands at {position})"
    )


def feature_faults(g: Gathered, item: str) -> Iterator[tuple[str, str]]:
    """(stage, text): features that are damaged, not of the status, or not what the payload gives."""
    name, spec, stored = words.name(item), g.about.spec, g.pieces.get(item)
    event, lake = g.events.get(item), g.from_lake.get(item)
    status = event.status if event else None
    if lake is not None and lake.status not in ("", status):
        yield "features", f"the status of {name} is {status}; its payload in the lake gives {lake.status}"
    if status is not None and (status == "ok") != features.has_features(stored):
        are = "no features are stored" if status == "ok" else "features are stored"
        yield "features", f"the status of {name} is {status}, and {are}"
    pieces = stored or (Piece(),) * len(spec.channels)
    for order, (channel, piece) in enumerate(zip(spec.channels, pieces, strict=True)):
        where = f"of {name} in channel {words.name(channel.name)}"
        if wrong := features.damage(channel, piece):
            yield wrong[0], f"{where}: {wrong[1]}"
        elif (first := features.first_wrong(channel, piece)) is not None:
            yield "signature", f"{where}: value {first} of the signature is not what the record gives"
        if lake is not None and lake.status and lake.status == status:
            given = lake.pieces[order]
            if given.record != piece.record:
                yield "features", f"{where}: the record is not what the payload in the lake gives"
            elif given.signature != piece.signature:
                yield "signature", f"{where}: the signature is not what the payload in the lake gives"


def _times(times: Times, item: str, event: Event) -> tuple[int, int] | None:
    """(version time, effective time) of an event; None where its append time is needed and not known."""
    row = {name: getattr(event, name, None) for name in EVENT_SCHEMA.names}
    table = pa.Table.from_pylist([row | {"id": item, "kind": "none", "payload": b""}], EVENT_SCHEMA)
    try:
        (won,) = resolve(table, times).winners.to_pylist()
    except (SourceError, ValueError):  # ValueError: it is no event
        return None
    return won["version_time"], won["effective_time"]
