"""Injects faults, compares, and judges whether what `diff` said is what it must say."""

import shutil
from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.faults.log import LOG, PARTITIONS, Scenario, batches, write_the_lake
from bench.faults.plain import wrongly_decided
from parity.diff import Options, diff
from parity.fault_edits import Runs
from parity.faults import MODES, REFUSED, Fault
from parity.forge import edit_manifest, graft
from parity.result import Result
from shared.errors import CrossfadeError
from shared.run import STAGES, open_run
from stream.consumer import claim
from stream.export import export
from stream.microbatch import apply
from stream.stores import open_store
from stream.stores.memory import MemoryStore
from stream.stores.protocol import Store

# From which table on a detector looks: without these, and what follows from them, it is off.
FIRST_TABLE = {
    "event": "items",
    "features": "items",
    "signature": "signatures",
    "bucket": "buckets",
    "candidate": "candidates",
    "match": "edges",
    "cluster": "clusters",
}
_ORDER = ("items", "verification", "signatures", "buckets", "candidates", "edges", "clusters")


@dataclass(frozen=True)
class Base:
    """What every fault starts from: two runs of a scenario in parity, the lake, and a state.

    early: a run at a fence before theirs, for `--allow-late`.
    """

    scenario: Scenario
    early: Path
    a: Path
    b: Path
    lake: Path
    state: Path


@dataclass(frozen=True)
class Found:
    """What `diff` said of one fault. caught_by: the weakest mode that saw it; "" = none did.

    off: whether the runs are in parity with the detector off; None where that is another mode's business.
    """

    fault: Fault
    caught_by: str
    stage: str
    kind: str
    roots: int
    explains: int
    expected_roots: int
    off: bool | None
    says: str

    @property
    def right(self) -> bool:
        fault = self.fault
        kind = fault.kind in self.says if fault.stage == REFUSED else self.kind == fault.kind
        return (
            (self.caught_by, self.stage, kind) == (fault.mode, fault.stage, True)
            and self.roots == self.expected_roots
            and self.off is not False
        )


def make_base(folder: Path, scenario: Scenario, make_a: Callable[[Path, Path], object] | None = None) -> Base:
    """make_a(lake, output) writes the run A: a backfill, by preference; unless told, it is a stream's too."""
    base = Base(scenario, *(folder / name for name in ("early", "a", "b", "lake", "state")))
    write_the_lake(base.lake, scenario.log)
    if make_a:
        make_a(base.lake, base.a)
    else:
        stream(MemoryStore(), base.a, base.lake, scenario)
    early = replace(scenario, log=scenario.log.slice(0, scenario.log.num_rows * 3 // 4))
    stream(MemoryStore(), base.early, base.lake, early)
    with closing(open_store(base.state)) as store:
        stream(store, base.b, base.lake, scenario)
    verdict = diff(open_run(base.a), open_run(base.b), Options(verify=True, lake=base.lake))
    assert verdict.parity, f"the runs must be in parity before any fault: {verdict.causes}"
    return base


def stream(store: Store, output: Path, lake: Path, scenario: Scenario) -> None:
    """Consume the scenario's log into an empty store and export it."""
    claim(store, scenario.spec, LOG, range(PARTITIONS))
    for batch, positions in batches(scenario.log):
        store.write(apply(scenario.spec, store, batch, positions).state.changes)
    export(store, output, lake=lake)


def try_all(base: Base, faults: Iterable[Fault], folder: Path) -> Iterator[Found]:
    for number, fault in enumerate(faults):
        here = folder / f"fault-{number}"
        yield attempt(base, fault, here)
        shutil.rmtree(here)


def attempt(base: Base, fault: Fault, here: Path) -> Found:
    return _judge(fault, inject(base, fault, here))


def inject(base: Base, fault: Fault, here: Path) -> Runs:
    """Copies of the base in `here`, with the fault."""
    runs = Runs(here / "a", here / "b", here / "lake")
    shutil.copytree(base.a, runs.a)
    shutil.copytree(base.lake, runs.lake)
    if fault.where == "run":
        shutil.copytree(base.b, runs.b)
        fault.inject(runs)
    elif fault.where == "state":
        shutil.copytree(base.state, here / "state")
        with closing(open_store(here / "state")) as store:
            fault.inject(store)
            export(store, runs.b, lake=runs.lake)
    elif fault.where == "spark":
        from bench.faults.spark import run_backfill

        shutil.copytree(base.b, runs.b)
        shutil.rmtree(runs.a)
        with fault.inject():
            run_backfill(base.scenario.spec, runs.lake, runs.a)
    else:
        with fault.inject():
            stream(MemoryStore(), runs.b, runs.lake, base.scenario)
    return runs


def _judge(fault: Fault, runs: Runs) -> Found:
    for mode in MODES:
        result = _compare(runs, mode)
        if isinstance(result, str):
            return Found(fault, mode, REFUSED, "", fault.roots or 1, 0, fault.roots or 1, None, result)
        if not result.parity:
            return _found(fault, runs, mode, result)
    return Found(fault, "", "", "", 0, 0, 1, None, "nothing")


def _compare(runs: Runs, mode: str) -> Result | str:
    """The result, or the sentence of a refusal."""
    options = Options(verify=mode == "verify", lake=runs.lake if mode == "lake" else None)
    try:
        return diff(open_run(runs.a), open_run(runs.b), options)
    except CrossfadeError as error:
        return str(error)


def _found(fault: Fault, runs: Runs, mode: str, result: Result) -> Found:
    if mode == "lake" and not result.total:
        kinds = {k: sum(getattr(c, k) for c in result.coverage) for k in ("missing", "extra", "wrong")}
        kinds["wrong"] += sum(len(c.dead_letters) for c in result.coverage)
        kind = ", ".join(name for name, count in kinds.items() if count)
        return Found(fault, mode, "lake", kind, result.uncovered, 0, fault.roots or 1, None, "")
    first = next(count for count in result.causes if count.total)
    named = [count.cause for count in result.causes if count.total]
    kinds = {kind: getattr(first, kind) for kind in ("missing", "extra", "wrong")}
    kind = max(kinds, key=lambda name: kinds[name])
    expected = fault.roots or (
        wrongly_decided(runs) if first.cause == "cluster" else _reached(runs, first.cause)
    )
    return Found(
        fault,
        mode,
        ", ".join(named),
        kind,
        result.total,
        sum(count.explains for count in result.causes),
        expected,
        _passes_with_detector_off(runs, named[0]) if fault.where != "run" else None,
        "",
    )


def _reached(runs: Runs, cause: str) -> int:
    """The ids (of a match: the edges) whose rows of this stage's tables are not the same, counted plainly."""
    ids: set[tuple[str, ...]] = set()
    for table in ("items", "verification") if cause == "features" else (FIRST_TABLE[cause],):
        columns = list(STAGES[table].digested)
        rows = [
            Counter(map(repr, open_run(run).read(table, columns=columns).to_pylist()))
            for run in (runs.a, runs.b)
        ]
        odd = [literal_eval(row) for row in (rows[0] - rows[1]) + (rows[1] - rows[0])]
        ids |= {
            tuple(sorted((row["earlier"], row["later"]))) if cause == "match" else (row["id"],) for row in odd
        }
    return len(ids)


def _passes_with_detector_off(runs: Runs, cause: str) -> bool:
    """Is it parity where B has A's tables of this stage and of what follows? Then nothing before it saw the
    fault, and without this detector it would have passed."""
    off = runs.b.with_name("off")
    shutil.copytree(runs.b, off)
    graft(runs.a, off, list(_ORDER[_ORDER.index(FIRST_TABLE[cause]) :]))
    edit_manifest(off, lambda manifest: manifest["counts"].update(dead_letters=_dead_letters(runs.a)))
    found = _compare(Runs(runs.a, off, runs.lake), "plain")
    return not isinstance(found, str) and found.parity


def _dead_letters(run: Path) -> Any:
    return open_run(run).manifest["counts"].get("dead_letters", {})


def summary(found: list[Found]) -> dict[str, Any]:
    return {
        "faults": len(found),
        "detected": sum(bool(f.caught_by) for f in found),
        "stage right": sum(f.stage == f.fault.stage for f in found),
        "roots counted once": sum(f.roots == f.expected_roots for f in found),
        "all right": sum(f.right for f in found),
    }


assert set(_ORDER) == set(STAGES)
