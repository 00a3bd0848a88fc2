"""Explain one or two ids: stage by stage on one side or two, and where they part."""

from collections.abc import Sequence
from pathlib import Path

from parity.explain.gather import Gathered, gather
from parity.explain.lake import LakeRecords
from parity.explain.parting import parting
from parity.explain.result import Explanation
from parity.explain.side import Side
from parity.explain.views import side_view
from parity.show import printable
from shared import contract
from shared.errors import SourceError
from shared.fence import LAKE_MANIFEST

NAMES = ("A", "B")


def explain(sides: Sequence[Side], ids: Sequence[str], lake: Path | None = None) -> Explanation:
    """Explain one or two ids on one or two sides of one contract.

    lake: where payloads are; None = the one that a run names, if it is there. Reads each side once: of a run
    all signatures, the items and, with one id, the edges pass by, and the rows of what the ids draw are held.
    Raises ContractError where the sides have different contracts, SourceError where an id is nowhere, the
    lake is none or of another log, or a file is damaged.
    """
    if len(sides) == 2:
        one, other = (side.about for side in sides)
        a, b = ((about.path, dict(about.contract), about.contract_id) for about in (one, other))
        contract.require_equal(*a, *b)
    records = LakeRecords(lake) if lake is not None else _named_lake(sides)
    if lake is not None and records is not None:
        _require_log(records, sides)
    found = [gather(name, side, tuple(ids), records) for name, side in zip(NAMES, sides, strict=False)]
    _require_known(found, ids)
    return Explanation(
        ids=tuple(ids),
        contract_id=found[0].about.contract_id,
        spec=found[0].about.spec,
        sides=tuple(side_view(g, str(records.folder) if records else "") for g in found),
        parting=parting(found[0], found[1], sides[0], sides[1]) if len(found) == 2 else None,
        notes=tuple(_notes(found, records)),
    )


def _named_lake(sides: Sequence[Side]) -> LakeRecords | None:
    """The lake that a run names, if it is there and of the log."""
    for side in sides:
        folder = side.about.lake
        if folder is not None and (folder / LAKE_MANIFEST).is_file():
            records = LakeRecords(folder)
            if records.is_of(side.about):
                return records
    return None


def _require_log(records: LakeRecords, sides: Sequence[Side]) -> None:
    for side in sides:
        if not records.is_of(side.about):
            raise SourceError(
                f"{records.folder} is a lake of another log than {side.about.path} ({side.about.stands_at}); "
                f"name the lake that it was made from"
            )


def _require_known(found: Sequence[Gathered], ids: Sequence[str]) -> None:
    for item in ids:
        if not any(g.has(item) for g in found):
            paths = [g.about.path for g in found]
            where = (
                f"neither {paths[0]} nor {paths[1]} has" if len(paths) == 2 else f"{paths[0]} does not have"
            )
            raise SourceError(f"{where} an item '{printable(item)}'; give the id as the events have it")


def _notes(found: Sequence[Gathered], records: LakeRecords | None) -> list[str]:
    notes = []
    if records is None:
        notes.append(
            "no lake was looked into, so payloads are not shown and features not made again; --lake names one"
        )
    return notes
