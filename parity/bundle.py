"""A bundle: the events of a few ids, the spec, and what each side said of them; small enough to send.

    DIR/bundle.json    format, ids, spec, and what was recorded of the ids on each side
    DIR/lake/          the records of the ids and of all that decided about them, at their own offsets

`crossfade replay DIR` runs both engines on it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity.explain.given import drawn_given, entries_given
from parity.explain.side import Side
from parity.result import CAUSES
from shared import contract
from shared.durable import require_new, write_json
from shared.errors import SourceError, SpecError
from shared.events import parse
from shared.fence import Fence
from shared.lake import Lake, LakeFile, file_tables, read_lake, write_lake, write_lake_file
from shared.shape import ANY, FLAG, OBJECT, TEXT, WHOLE, Each, Shape, read_json, require, shown
from shared.spec import Spec, from_dict, to_dict

FORMAT = 1
FILE = "bundle.json"
MOST_IDS = 2_000  # in a bundle: beyond that it is no reproduction to look at


_SHAPE: Shape = {
    "ids": [TEXT],
    "contract_id": TEXT,
    "spec": OBJECT,
    "recorded": Each(Each(dict.fromkeys(CAUSES, ANY))),
    "records": WHOLE,
    "involved": WHOLE,
    "whole": FLAG,
}

Recorded = dict[str, Any]  # stage -> what a side has of an id there, as plain JSON values


@dataclass(frozen=True)
class Bundle:
    """recorded: a side's path -> id -> what it said. whole: no id was left out for want of room."""

    folder: Path
    ids: tuple[str, ...]
    spec: Spec
    recorded: dict[str, dict[str, Recorded]]
    records: int
    involved: int
    whole: bool


def write_bundle(folder: Path, ids: Sequence[str], sides: Sequence[Side], lake_folder: Path) -> Bundle:
    """Write a new folder. SourceError where it is not empty, or the lake is none or of another log."""
    require_new(folder, "name a new folder with --bundle")
    lake = read_lake(lake_folder)
    if lake is None:
        raise SourceError(
            f"{lake_folder} is no lake; a bundle takes its events from one: name it with --lake"
        )
    reached = lake.fence.positions()
    for side in sides:
        for item, event in side.events(ids).items():
            if event.offset >= reached.get(event.partition, 0):
                raise SourceError(
                    f"{lake_folder} ends before the record of {shown(item)} in {side.about.path} (partition "
                    f"{event.partition}, offset {event.offset}); archive the topic on, then make the bundle"
                )
    fences = [side.about.fence for side in sides if side.about.fence]
    if any((f.cluster, f.topic) != (lake.fence.cluster, lake.fence.topic) for f in fences):
        raise SourceError(f"{lake_folder} is a lake of another log than the sides'; name theirs with --lake")
    involved, whole = _involved(ids, sides)
    records = _write_records(folder / "lake", lake_folder, lake, involved, fences)
    about = sides[0].about
    recorded = {side.about.path: recorded_of(side, ids) for side in sides}
    document = {
        "format": FORMAT,
        "ids": list(ids),
        "contract_id": about.contract_id,
        "spec": to_dict(about.spec),
        "involved": len(involved),
        "whole": whole,
        "records": records,
        "recorded": recorded,
    }
    write_json(folder / FILE, document)
    return Bundle(folder, tuple(ids), about.spec, recorded, records, len(involved), whole)


def read_bundle(folder: Path) -> Bundle:
    """SourceError where there is none, or one of another format or contract than this machine gives."""
    file = folder / FILE
    try:
        data = read_json(file)
    except FileNotFoundError:
        raise SourceError(
            f"{folder} is no bundle: it has no {FILE}; `crossfade explain --bundle` makes one"
        ) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SourceError(f"{file} is not of format {FORMAT}, which this version reads")
    require(data, _SHAPE, str(file), "make the bundle again")
    if not data["ids"] or not data["recorded"]:
        raise SourceError(f"{file} names no ids, or nothing that was recorded of them; make the bundle again")
    if lost := [item for said in data["recorded"].values() for item in data["ids"] if item not in said]:
        raise SourceError(f"{file}: nothing is recorded of {shown(lost[0])}; make the bundle again")
    try:
        spec = from_dict(data["spec"])
    except SpecError as error:
        raise SpecError(f"the spec in {file} cannot be used here: {error}") from error
    if contract.contract_id(spec) != data["contract_id"]:
        raise SourceError(
            f"{file} has contract {data['contract_id']}; its spec gives {contract.contract_id(spec)} here; "
            f"replay it with the version of crossfade, and on the kind of machine, that made it"
        )
    return Bundle(
        folder,
        tuple(data["ids"]),
        spec,
        data["recorded"],
        data["records"],
        data["involved"],
        data["whole"],
    )


def recorded_of(side: Side, ids: Collection[str]) -> dict[str, Recorded]:
    """id -> stage -> what the side has there; null where it has nothing."""
    events, pieces = side.events(ids), side.pieces(ids)
    edges, places = side.edges(ids), side.places(ids)
    buckets, candidates = side.bucket_traces(ids), side.candidate_traces(ids)
    found: dict[str, Recorded] = {}
    for item in ids:
        event, own, place = events.get(item), pieces.get(item, ()), places.get(item)
        matches = sorted(edges.get(item, {}).items())
        found[item] = {
            "event": [
                event.op,
                event.event_time,
                event.version_time,
                event.effective_time,
                event.digest.hex(),
            ]
            if event
            else None,
            "features": [event.status if event else None, *((p.record or b"").hex() for p in own)],
            "signature": [(piece.signature or b"").hex() for piece in own],
            "bucket": list(buckets.get(item, ())),
            "candidate": list(candidates.get(item, ())),
            "match": [[other, s.channel, s.numerator, s.denominator] for other, s in matches],
            "cluster": [place.head, *(vars(place.strength).values() if place.strength else ())]
            if place
            else None,
        }
    return found


def _involved(ids: Sequence[str], sides: Sequence[Side]) -> tuple[set[str], bool]:
    """(the ids, whom they draw, and whoever's edges and heads decided about those; whether that is all)."""
    nearest = dict.fromkeys(ids)  # in order: what is cut off is what is farthest
    front = {other for side in sides for other in _drawn(side, ids)} - nearest.keys()
    nearest |= dict.fromkeys(sorted(front))
    front = set(nearest)
    while front and len(nearest) <= MOST_IDS:
        near: set[str] = set()
        for side in sides:
            near |= {other for matches in side.edges(front).values() for other in matches}
            near |= {place.head for place in side.places(front).values()}
        front = near - nearest.keys()
        nearest |= dict.fromkeys(sorted(front))
    return set(list(nearest)[:MOST_IDS]), len(nearest) <= MOST_IDS


def _drawn(side: Side, ids: Sequence[str]) -> set[str]:
    events = side.events(ids)
    entries = entries_given(side.about.spec, events, side.pieces(ids))
    return set().union(*drawn_given(side, events, entries).values())


def _write_records(
    folder: Path, source: Path, lake: Lake, ids: Collection[str], fences: Sequence[Fence]
) -> int:
    """The records of these ids in a lake of their own, at their own offsets; how many."""
    wanted = pa.array(sorted(ids), pa.string())
    parts: dict[int, list[pa.Table]] = {}
    ends = {
        p: min(end, max(f.positions().get(p, 0) for f in fences or [lake.fence]))
        for p, end in lake.fence.positions().items()
    }
    for entry in lake.files:
        for table in file_tables(source, entry):
            events = parse(table).events
            mine = events.filter(pc.is_in(events.column("id"), wanted)).column("offset")
            below = pc.less(table.column("offset"), ends.get(entry.partition, 0))
            keep = pc.and_(below, pc.is_in(table.column("offset"), mine.combine_chunks()))
            parts.setdefault(entry.partition, []).append(table.filter(keep))
    if not any(table.num_rows for tables in parts.values() for table in tables):
        raise SourceError(
            f"{source} has no records of these ids: nobody sent them, or it is not the lake of the sides"
        )
    files: list[LakeFile] = []
    for partition, tables in sorted(parts.items()):
        records = pa.concat_tables(tables).sort_by("offset")
        files.append(write_lake_file(folder, partition, 0, ends[partition], records))
    write_lake(folder, Lake(lake.topic, Fence.at(lake.fence.cluster, lake.fence.topic, ends), tuple(files)))
    return sum(file.rows for file in files)
