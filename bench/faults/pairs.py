"""Two faults of a run's files at once: is each named as a root of its own, though they are connected?

Most faults take the same item, the first that suits: most pairs are at one id, or in its buckets.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from bench.faults.harness import Base
from parity.diff import Options, diff
from parity.fault_edits import Runs
from parity.faults import Fault
from parity.result import CAUSES
from shared.run import open_run

Roots = frozenset[tuple[str, str, str | None]]  # cause, id, the earlier end of an edge


@dataclass(frozen=True)
class Pair:
    """expected: the roots of each fault when it is alone. plain, verified: what `diff` names of both."""

    first: Fault
    second: Fault
    expected: Roots
    plain: Roots
    verified: Roots

    @property
    def right(self) -> bool:
        return self.verified == self.expected


def pairs_of(faults: Sequence[Fault]) -> list[tuple[Fault, Fault]]:
    """All pairs of two stages (at one the second would find the first one's row changed), in some rows."""
    single = [f for f in faults if f.stage in CAUSES and f.mode == "plain" and f.roots is not None]
    return [(one, other) for one, other in combinations(single, 2) if one.stage != other.stage]


def try_pairs(base: Base, pairs: Sequence[tuple[Fault, Fault]], folder: Path) -> Iterator[Pair]:
    alone = {fault.name: fault for pair in pairs for fault in pair}
    roots = {name: _roots(base, (fault,), folder)[1] for name, fault in alone.items()}
    for one, other in pairs:
        expected = roots[one.name] | roots[other.name]
        yield Pair(one, other, expected, *_roots(base, (one, other), folder))


def _roots(base: Base, faults: Sequence[Fault], folder: Path) -> tuple[Roots, Roots]:
    """What plain `diff` and `diff --verify` name."""
    here = folder / "pair"
    runs = Runs(here / "a", here / "b", here / "lake")
    shutil.copytree(base.a, runs.a)
    shutil.copytree(base.b, runs.b)
    for fault in faults:
        fault.inject(runs)
    a, b = open_run(runs.a), open_run(runs.b)
    found = [diff(a, b, Options(verify=verify)).differences for verify in (False, True)]
    shutil.rmtree(here)
    plain, verified = (frozenset((d.cause, d.id, d.earlier) for d in own) for own in found)
    return plain, verified
