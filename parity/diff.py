"""Compare two runs of any engines: equal, or where each difference began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from parity.align import require_comparable
from parity.causes import charge
from parity.coverage import cover
from parity.details import with_fields
from parity.evidence import Evidence
from parity.fields import FieldDifference
from parity.files import check_run
from parity.gates import judge
from parity.held import differing_ids, hold
from parity.known import Rule, apply_rules
from parity.late import Late, late_between
from parity.regrouping import ClusterComparison, compare_clusters
from parity.result import CAUSES, CLASSES, CauseCount, Difference, KnownUse, Result, Side, StageCount
from parity.rows import Change, changes, differing_shards
from parity.spread import Spread, one_by_one
from parity.unmoved import convicted, suspects
from shared.run import STAGES, Run

LISTED = 1000  # differences kept with their fields; all are counted


@dataclass(frozen=True)
class Options:
    """verify: read every byte and row. allow_late: two fences of one log. lake: hold both runs against it.

    why_no_lake: what to say where a lake was named and none can be had. rules: the known differences.
    gates: limits by class, before those of the spec of A. spread: does the parts of what reads rows.
    today: on which rules expire.
    """

    verify: bool = False
    allow_late: bool = False
    lake: Path | None = None
    why_no_lake: str = ""
    rules: Sequence[Rule] = ()
    gates: Mapping[str, int | str] = field(default_factory=dict)
    listed: int = LISTED
    spread: Spread = one_by_one
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


def diff(a: Run, b: Run, options: Options | None = None) -> Result:
    """Compare two runs.

    Memory: a bounded part of the rows, and the ids that differ; with `verify` the members of all buckets that
    MOST_HELD ids are in. Raises ContractError or
    AlignmentError where they cannot be compared, SourceError where one is not what its manifest says.
    """
    options = options or Options()
    late = late_between(a, b) if options.allow_late else None
    aligned_by = require_comparable(a, b, late is not None)
    for run in (a, b):
        check_run(run, options.verify, options.spread)
    coverage = cover((a, b), options.lake) if options.lake else ()
    found = {name: changes(a, b, stage, late, options.spread) for name, stage in STAGES.items()}
    components = a.manifest["contract"]["clusters"]["rule"] == "components"
    near = suspects(a, b, found) if options.verify and late else {}
    held = hold(a, b, found, near) if options.verify else None
    rows = convicted(found, near, held) if held else found
    differences, uses = _known(a, b, charge(rows, Evidence(a, b), components, held), options)
    dead = dead_letters(a, b)
    causes = tuple(_count(cause, differences, dead, late) for cause in CAUSES)
    uncovered = sum(held.total for held in coverage)
    gates = {**a.manifest["spec"].get("gates", {}), **options.gates}
    return Result(
        a=side_of(a),
        b=side_of(b),
        contract_id=a.contract_id,
        aligned_by=aligned_by,
        verified=options.verify,
        held=held.ids if held else 0,
        differing=len(differing_ids(found)),
        stages=tuple(_stage(a, b, name, found[name]) for name in STAGES),
        causes=causes,
        dead_letters=dead,
        differences=tuple(differences[: options.listed]),
        gates=judge(gates, causes, uncovered, a.rows("items")),
        known=uses,
        clusters=_clusters(a, b, found),
        coverage=coverage,
        why_no_lake=options.why_no_lake,
    )


def _known(
    a: Run, b: Run, differences: list[Difference], options: Options
) -> tuple[list[Difference], tuple[KnownUse, ...]]:
    """Those that are listed, or that a rule needs, with their fields; the registered ones as such."""
    by_field = any(rule.field for rule in options.rules)
    shown = len(differences) if by_field else options.listed
    with_all = [*with_fields(a, b, differences[:shown]), *differences[shown:]]
    return apply_rules(options.rules, with_all, options.today)


def _clusters(a: Run, b: Run, found: Mapping[str, Sequence[Change]]) -> ClusterComparison | None:
    changed = {change.key[0] for change in found["clusters"]}
    return compare_clusters(a, b, changed, found["edges"]) if changed else None


def side_of(run: Run) -> Side:
    """What is said of a run wherever one is shown."""
    versions = {str(name): str(version) for name, version in run.manifest["versions"].items()}
    place = run.fence.describe() if run.fence else f"event set {run.event_set}"
    return Side(str(run.path), run.manifest["engine"], tuple(sorted(versions.items())), place)


def _stage(a: Run, b: Run, stage: str, found: Sequence[Change]) -> StageCount:
    return StageCount(stage, a.rows(stage), b.rows(stage), len(differing_shards(a, b, stage)), len(found))


def _count(
    cause: str, differences: Sequence[Difference], dead: Sequence[FieldDifference], late: Late | None
) -> CauseCount:
    kinds = dict.fromkeys(CLASSES, 0)
    mine = [difference for difference in differences if difference.cause == cause]
    for difference in mine:
        kinds[difference.kind] += 1
    for reason in dead if cause == "event" else ():
        kinds[_dead_class(reason, late)] += 1
    return CauseCount(cause, **kinds, explains=sum(difference.explains for difference in mine))


def _dead_class(reason: FieldDifference, late: Late | None) -> str:
    """Who saw more of the log may have more dead letters, and never fewer."""
    a, b = int(reason.a or 0), int(reason.b or 0)
    if late and late.ahead in (None, 0 if a > b else 1):
        return "late"
    return "extra" if not a else "missing" if not b else "wrong"


def dead_letters(a: Run, b: Run) -> tuple[FieldDifference, ...]:
    """The reasons whose counts of dead letters differ."""
    left, right = (run.manifest["counts"].get("dead_letters", {}) for run in (a, b))
    return tuple(
        FieldDifference(reason, left.get(reason, 0), right.get(reason, 0))
        for reason in sorted(left | right)
        if left.get(reason, 0) != right.get(reason, 0)
    )
