"""The lake's record of an item's winning event: its payload, and the features that it gives here."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from parity.show import printable
from shared import contract
from shared.errors import CrossfadeError
from shared.events import parse
from shared.lake import records_at, require_lake
from shared.sketch import sketch
from shared.stored import About, Event, Piece


@dataclass(frozen=True)
class FromLake:
    """What the lake says of an item.

    wrong: what is not as the item's row says. unknown: why its payload could not be sketched here; status and
    pieces are what the sketch gave where it is empty.
    """

    kind: str = ""
    payload: bytes = b""
    wrong: str = ""
    unknown: str = ""
    status: str = ""
    pieces: tuple[Piece, ...] = ()


def _short(value: object) -> str:
    return value.hex()[:16] if isinstance(value, bytes) else printable(value, 48)


class LakeRecords:
    """Single records of a lake by their place. SourceError where the folder is no lake."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._lake = folder, require_lake(folder)
        self._known: dict[tuple[str, Event], FromLake] = {}

    def is_of(self, about: About) -> bool:
        """Whether the lake and a side are of one log."""
        own, other = self._lake.fence, about.fence
        return other is not None and (own.cluster, own.topic) == (other.cluster, other.topic)

    def look_up(self, about: About, item: str, event: Event) -> FromLake:
        """What the record at the event's place gives. A payload by URI is read, as the engines would."""
        if (item, event) not in self._known:
            self._known[item, event] = self._look_up(about, item, event)
        return self._known[item, event]

    def _look_up(self, about: About, item: str, event: Event) -> FromLake:
        records = self._record(event.partition, event.offset)
        where = f"partition {event.partition}, offset {event.offset}"
        if records is None:
            return FromLake(unknown=f"the lake does not reach {where}")
        if not records.num_rows:
            return FromLake(wrong=f"the lake has no record at {where}")
        events = parse(records).events
        if not events.num_rows:
            return FromLake(wrong=f"the lake's record at {where} is no event")
        (row,) = events.to_pylist()
        stored = {"id": item, "op": event.op, "event_time": event.event_time, "digest": event.digest}
        other = [
            f"{name.replace('_', ' ')} {_short(row[name])}" for name in stored if row[name] != stored[name]
        ]
        if other:
            return FromLake(wrong=f"the lake's record at {where} has {' and '.join(other)}")
        return self._sketch(about, event, events, row["kind"], row["payload"])

    def _sketch(self, about: About, event: Event, events: pa.Table, kind: str, payload: bytes) -> FromLake:
        if contract.contract_id(about.spec) != about.contract_id:
            return FromLake(kind, payload, unknown="features made on this machine have another contract")
        try:
            sketched = sketch(about.spec, events)
        except CrossfadeError as error:
            return FromLake(kind, payload, unknown=str(error))
        status = str(sketched.status[0])
        if status != event.status and "uri_not_found" in (status, event.status):
            return FromLake(kind, payload, unknown=f"here the payload's status is {status}")
        pieces = tuple(Piece(own.signatures[0].as_py(), own.records[0].as_py()) for own in sketched.features)
        return FromLake(kind, payload, status=status, pieces=pieces)

    def _record(self, partition: int, offset: int) -> pa.Table | None:
        """RECORD_SCHEMA: the record there, if there is one; None where the lake does not span its place."""
        for file in self._lake.files:
            if file.partition == partition and file.base <= offset < file.end:
                return records_at(self.folder / file.path, [offset])
        return None
