"""The side of a run."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity.explain.linked import linked
from parity.explain.members import bucket_members
from parity.rows import KEYS, rows_of
from shared.run import STAGES, Run
from shared.stored import About, Entry, Event, Piece, Place, Strength, Trace

_EVENT = [field.name for field in fields(Event)]

Row = dict[str, Any]


class RunSide:
    """Of a run whose files were checked. Raises SourceError where one cannot be read."""

    def __init__(self, run: Run) -> None:
        self._run = run
        lake = run.manifest["input"].get("lake")
        self._about = About(
            path=str(run.path),
            kind="run",
            engine=run.manifest["engine"],
            spec=run.spec,
            contract=run.manifest["contract"],
            contract_id=run.contract_id,
            fence=run.fence,
            event_set=run.event_set,
            lake=Path(lake) if lake else None,
        )

    @property
    def about(self) -> About:
        return self._about

    def events(self, ids: Collection[str]) -> dict[str, Event]:
        return {row["id"]: Event(*(row[name] for name in _EVENT)) for row in self._rows("items", ids)}

    def pieces(self, ids: Collection[str]) -> dict[str, tuple[Piece, ...]]:
        names = [channel.name for channel in self._about.spec.channels]
        found: dict[str, dict[str, list[bytes | None]]] = defaultdict(dict)
        for place, (stage, column) in enumerate((("signatures", "signature"), ("verification", "record"))):
            for row in self._rows(stage, ids):
                found[row["id"]].setdefault(row["channel"], [None, None])[place] = row[column]
        nothing: list[bytes | None] = [None, None]
        return {item: tuple(Piece(*own.get(name, nothing)) for name in names) for item, own in found.items()}

    def members(self, entries: Collection[Entry]) -> dict[Entry, pa.Array]:
        return bucket_members(self._run, self._about.spec, entries)

    def bucket_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        return {row["id"]: (row["entries"], row["trace"]) for row in self._rows("buckets", ids)}

    def candidate_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        return {row["id"]: (row["pairs"], row["trace"]) for row in self._rows("candidates", ids)}

    def edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        found: dict[str, dict[str, Strength]] = defaultdict(dict)
        for row in self._rows("edges", ids):
            found[row["later"]][row["earlier"]] = _strength(row)
        return found

    def later_edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        found: dict[str, dict[str, Strength]] = defaultdict(dict)
        wanted = pa.array(sorted(ids), pa.string())
        for batch in self._run.batches("edges"):
            for row in batch.filter(pc.is_in(batch.column("earlier"), wanted)).to_pylist():
                found[row["earlier"]][row["later"]] = _strength(row)
        return found

    def linked(self, ids: Collection[str], most: int) -> dict[str, set[str]]:
        return linked(self._run, ids, most)

    def places(self, ids: Collection[str]) -> dict[str, Place]:
        return {
            row["id"]: Place(row["head"], None if (own := _strength(row)) == _NONE else own)
            for row in self._rows("clusters", ids)
        }

    def repeated(self, ids: Collection[str]) -> list[tuple[str, str, int]]:
        found = []
        for stage in STAGES:
            rows = Counter(tuple(row[name] for name in KEYS[stage]) for row in self._rows(stage, ids))
            found += [(stage, key[0], n) for key, n in rows.items() if n > 1]
        return found

    def _rows(self, stage: str, ids: Collection[str]) -> Iterator[Row]:
        for table in rows_of(self._run, stage, ids):
            yield from table.to_pylist()


_NONE = Strength("", 0, 0)  # of a head


def _strength(row: Row) -> Strength:
    return Strength(row["channel"], row["numerator"], row["denominator"])
