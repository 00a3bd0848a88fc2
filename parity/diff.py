"""Compare two runs of any engines: equal, or where each difference began."""

from parity.align import require_comparable
from parity.causes import charge
from parity.details import with_fields
from parity.evidence import Evidence
from parity.files import check_files, verify_contents
from parity.result import CAUSES, CauseCount, Difference, FieldDifference, Result, Side, StageCount
from parity.rows import Change, changes, differing_shards
from shared.run import STAGES, Run

LISTED = 1000  # differences kept with their fields; all are counted


def diff(a: Run, b: Run, verify: bool = False, listed: int = LISTED) -> Result:
    """Compare two runs.

    Memory: a bounded part of the rows, and the ids that differ. Raises ContractError or
    AlignmentError where they cannot be compared, SourceError where one is not what its manifest says.
    """
    aligned_by = require_comparable(a, b)
    for run in (a, b):
        check_files(run)
        if verify:
            verify_contents(run)
    found = {name: changes(a, b, stage) for name, stage in STAGES.items()}
    components = a.manifest["contract"]["clusters"]["rule"] == "components"
    differences = charge(found, Evidence(a, b), components)
    dead = _dead_letters(a, b)
    return Result(
        a=_side(a),
        b=_side(b),
        contract_id=a.contract_id,
        aligned_by=aligned_by,
        verified=verify,
        stages=tuple(_stage(a, b, name, found[name]) for name in STAGES),
        causes=tuple(_count(cause, differences, dead) for cause in CAUSES),
        dead_letters=dead,
        differences=with_fields(a, b, differences[:listed]),
    )


def _side(run: Run) -> Side:
    versions = {str(name): str(version) for name, version in run.manifest["versions"].items()}
    return Side(str(run.path), run.manifest["engine"], tuple(sorted(versions.items())))


def _stage(a: Run, b: Run, stage: str, found: list[Change]) -> StageCount:
    return StageCount(stage, a.rows(stage), b.rows(stage), len(differing_shards(a, b, stage)), len(found))


def _count(cause: str, differences: list[Difference], dead: tuple[FieldDifference, ...]) -> CauseCount:
    kinds = {"missing": 0, "extra": 0, "wrong": 0}
    mine = [difference for difference in differences if difference.cause == cause]
    for difference in mine:
        kinds[difference.kind] += 1
    for reason in dead if cause == "event" else ():
        kinds["extra" if not reason.a else "missing" if not reason.b else "wrong"] += 1
    return CauseCount(cause, **kinds, explains=sum(difference.explains for difference in mine))


def _dead_letters(a: Run, b: Run) -> tuple[FieldDifference, ...]:
    """The reasons whose counts of dead letters differ."""
    left, right = (run.manifest["counts"].get("dead_letters", {}) for run in (a, b))
    return tuple(
        FieldDifference(reason, left.get(reason, 0), right.get(reason, 0))
        for reason in sorted(left | right)
        if left.get(reason, 0) != right.get(reason, 0)
    )
