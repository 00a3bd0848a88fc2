"""Compare a run of an old spec with one of a new spec over the same events: what is gained, what is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from parity.align import require_upgrade
from parity.diff import side_of
from parity.files import check_run
from parity.regrouping import ClusterComparison, compare_clusters
from parity.rows import Change
from parity.upgrade.costs import costs
from parity.upgrade.events import hold_events
from parity.upgrade.gates import judge_gates
from parity.upgrade.histogram import bins_of, histogram
from parity.upgrade.kinds import A, B, Kind, kinds_of, rule_text
from parity.upgrade.pairs import EDGE, MEMBERSHIP, Compared, Sample, compare_pairs
from parity.upgrade.result import ContractChange, Judge, Pairs, Upgrade
from parity.upgrade.sides import Judged, one_sided
from parity.upgrade.weigh import Weighed, weigh
from shared.contract import differences
from shared.run import Run

LISTED = 500  # pairs gained, and lost, of the edges and of the memberships
MOST = 200_000  # of each that are judged; of more, a sample


@dataclass(frozen=True)
class Options:
    """verify: read every byte and row. gates: limits by class, as parity/upgrade/gates.py has them.

    most: pairs gained, and lost, of edges, and of memberships, that are judged. listed: that are shown.
    """

    verify: bool = False
    gates: Mapping[str, int | str] = field(default_factory=dict)
    most: int = MOST
    listed: int = LISTED


def upgrade(a: Run, b: Run, options: Options | None = None) -> Upgrade:
    """a: of the old spec, b: of the new one.

    Memory: a bounded part of the rows, four samples of pairs, and the ids whose events or heads differ.
    Disk: the features of the samples' ids, in the folder for temporary files. Raises ContractError or
    AlignmentError where the runs cannot be compared, SourceError where one is not what its manifest says.
    """
    options = options or Options()
    aligned_by = require_upgrade(a, b)
    for run in (a, b):
        check_run(run, options.verify)
    kinds = kinds_of(a, b)
    events, unequal = hold_events(a, b)
    compared = [compare_pairs(a, b, family, unequal, options.most) for family in (EDGE, MEMBERSHIP)]
    with TemporaryDirectory(prefix="crossfade-upgrade-") as folder:
        weighed, unequal_features = weigh((a, b), kinds, compared, Path(folder))
    edges, memberships = (
        _pairs(*both, kinds, options.listed) for both in zip(compared, weighed, strict=True)
    )
    return Upgrade(
        a=side_of(a),
        b=side_of(b),
        contract_a=a.contract_id,
        contract_b=b.contract_id,
        contract=tuple(
            ContractChange(*row) for row in differences(a.manifest["contract"], b.manifest["contract"])
        ),
        aligned_by=aligned_by,
        verified=options.verify,
        events=events,
        unequal_features=unequal_features,
        judges=tuple(_judge(kind, place, weighed[0]) for place, kind in enumerate(kinds)),
        edges=edges,
        memberships=memberships,
        clusters=_clusters(a, b, *compared),
        costs=costs(a, b),
        gates=judge_gates(options.gates, a.rows("items"), events, unequal_features, edges),
    )


def _pairs(compared: Compared, weighed: Weighed, kinds: Sequence[Kind], listed: int) -> Pairs:
    return Pairs(
        what=compared.what,
        in_a=compared.in_a,
        in_b=compared.in_b,
        kept=compared.in_a - compared.lost.pairs,
        other_channel=compared.other_channel,
        other_numbers=compared.other_numbers,
        gained=one_sided(weighed.gained, kinds, listed),
        lost=one_sided(weighed.lost, kinds, listed),
    )


def _judge(kind: Kind, place: int, edges: Weighed) -> Judge:
    def of(side: Judged) -> tuple[int, ...]:
        found = side.judgement
        return histogram(kind, found.numerator[place][side.equal], found.denominator[place][side.equal])

    return Judge(
        name=kind.name,
        extractor=kind.extractor,
        by=kind.judged_by,
        rules_a=tuple(rule_text(channel) for channel in kind.channels[A]),
        rules_b=tuple(rule_text(channel) for channel in kind.channels[B]),
        bins=bins_of(kind),
        gained=of(edges.gained),
        lost=of(edges.lost),
    )


def _clusters(a: Run, b: Run, edges: Compared, memberships: Compared) -> ClusterComparison | None:
    """None where every id has one head in both."""
    changed = set(memberships.changed.to_pylist())
    if not changed:
        return None
    found = [*_changes(edges.lost, "missing"), *_changes(edges.gained, "extra")]
    return compare_clusters(a, b, changed, found)


def _changes(sample: Sample, kind: str) -> list[Change]:
    """Of edges, those that may be named as what joined a cluster."""
    ends = (sample.table.column(end).to_pylist() for end in ("later", "earlier"))
    return [Change(key, kind) for key in zip(*ends, strict=True)]
