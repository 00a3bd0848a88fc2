"""Faults in a run that is held against an earlier one: are they told from what is late?"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.faults.harness import Base, inject
from bench.faults.pairs import Roots
from parity.diff import Options, diff
from parity.faults import Fault
from parity.result import CAUSES
from shared.run import open_run


@dataclass(frozen=True)
class Late:
    """expected: the roots that `diff --verify` names where both runs stand at one fence, less the events that
    the early run has not seen, and their features: these follow from nothing in a run. found: those that it
    does not call late.
    """

    fault: Fault
    expected: Roots
    found: Roots

    @property
    def right(self) -> bool:
        return self.found == self.expected


def try_late(base: Base, faults: Iterable[Fault], folder: Path) -> Iterator[Late]:
    """Run A is the early one; faults that are no difference by themselves are left out."""
    unseen = {item for _, item, _ in _roots(base.early, base.b, late=True)[1]}
    for fault in faults:
        if fault.stage not in CAUSES or fault.where == "spark":
            continue
        runs = inject(base, fault, folder / "late")
        expected = {root for root in _roots(runs.a, runs.b, late=False)[0] if not _of(root, unseen)}
        found, _ = _roots(base.early, runs.b, late=True)
        shutil.rmtree(folder / "late")
        yield Late(fault, frozenset(expected), found)


def _of(root: tuple[str, str, str | None], unseen: set[str]) -> bool:
    return root[0] in ("event", "features") and root[1] in unseen


def _roots(a: Path, b: Path, late: bool) -> tuple[Roots, Roots]:
    """(what is wrong, what is late)."""
    options = Options(verify=True, allow_late=late, listed=10**6)
    found = diff(open_run(a), open_run(b), options).differences
    wrong, excused = (
        frozenset((d.cause, d.id, d.earlier) for d in found if (d.kind == "late") == kind)
        for kind in (False, True)
    )
    return wrong, excused
