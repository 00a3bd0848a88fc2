"""Compare a run of an old spec with one of a new spec over the same events: what is gained, what is lost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.align import require_upgrade
from parity.diff import side_of
from parity.files import check_files, verify_contents
from parity.regrouping import ClusterComparison, compare_clusters
from parity.rows import Change
from parity.upgrade.costs import costs
from parity.upgrade.events import hold_events
from parity.upgrade.features import Features, read_records, read_signatures
from parity.upgrade.gates import judge_gates
from parity.upgrade.histogram import bins_of, histogram
from parity.upgrade.judging import TRUTHS, judge, why_missed
from parity.upgrade.kinds import A, B, Kind, kinds_of, rule_text
from parity.upgrade.pairs import EDGE, MEMBERSHIP, Compared, Sample, compare_pairs
from parity.upgrade.result import NO, UNKNOWN, WHYS, YES, ContractChange, Judge, Pairs, Upgrade
from parity.upgrade.sides import NO_WHY, Judged, one_sided
from parity.upgrade.wanted import Wanted, heads, wanted
from shared.contract import differences
from shared.run import Run

LISTED = 500  # pairs of each side of the edges, and of the memberships
MOST = 200_000  # pairs of each that are judged; of more, a sample
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Options:
    """verify: read every byte and row. gates: limits by class of parity/upgrade/gates.py.

    most: pairs gained, and lost, of edges, and of memberships, that are judged.
    """

    verify: bool = False
    gates: Mapping[str, int | str] = field(default_factory=dict)
    most: int = MOST
    listed: int = LISTED
