"""`python -m bench.faults [--write PAGE] [--aa RUNS]`: inject every fault, print what `diff` says of it."""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.faults import harness, spark
from bench.faults.code import CODE_FAULTS, PICTURE_CODE_FAULTS
from bench.faults.harness import Found
from bench.faults.late import Late, try_late
from bench.faults.log import Scenario
from bench.faults.pairs import Pair, pairs_of, try_pairs
from bench.faults.pictures import pictures
from bench.faults.state import STATE_FAULTS
from bench.faults.texts import texts
from bench.report import Table, machine, rewrite
from parity.diff import Options, diff
from parity.faults import REFUSED, RUN_FAULTS, Fault
from shared.run import open_run
from stream.rehearsal import rehearse

MOST_ROWS = 50  # of a partition in a batch of an A/A run: a third of it
COLUMNS = ("fault", "in", "caught by", "first stage", "class", "roots", "explains", "off", "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="bring the tables of a Markdown page up to date"
    )
    parser.add_argument("--aa", type=int, default=100, metavar="RUNS", help="A/A runs of each log [100]")
    chosen = parser.parse_args()
    right = True
    with TemporaryDirectory() as folder:
        for name, scenario, faults in (
            ("faults", texts(), (*RUN_FAULTS, *STATE_FAULTS, *CODE_FAULTS, *spark.SPARK_FAULTS)),
            (
                "faults-in-pictures",
                pictures(Path(folder) / "pictures"),
                (*RUN_FAULTS, *STATE_FAULTS, *PICTURE_CODE_FAULTS),
            ),
        ):
            table, good = _measure(scenario, faults, chosen.aa, Path(folder) / name)
            right &= good
            if chosen.write:
                where = machine()
                run = f"\nRun {where['date']} on {where['processor']}.\n"
                rewrite(chosen.write, name, _markdown(table) + run)
    return 0 if right else 1


def _measure(scenario: Scenario, faults: Sequence[Fault], runs: int, folder: Path) -> tuple[Table, bool]:
    """The table, and whether all is right."""
    started, found = time.monotonic(), []
    base = harness.make_base(folder / "base", scenario, partial(spark.run_backfill, scenario.spec))
    for one in harness.try_all(base, faults, folder):
        found.append(one)
        print(_line(one), flush=True)
    pairs = list(try_pairs(base, pairs_of(RUN_FAULTS), folder))
    late = list(try_late(base, faults, folder))
    alarms = _alarms(base, runs, folder)
    table = _table(found, pairs, late, runs, alarms, time.monotonic() - started)
    print("\n" + "\n".join(table.notes))
    return table, all(one.right for one in found) and not alarms


def _alarms(base: harness.Base, runs: int, folder: Path) -> int:
    """How many of so many runs are no parity: the log in other orders and batches, records repeated."""
    alarms = 0
    for seed in range(runs):
        here = folder / "aa"
        spec = base.scenario.spec
        run = rehearse(spec, base.lake, here / "state", here / "run", seed, most_rows=MOST_ROWS)
        alarms += not diff(open_run(base.a), run, Options(verify=seed % 10 == 0)).parity
        shutil.rmtree(here)
        print(f"\rA/A {seed + 1} of {runs}: {alarms} alarms", end="", flush=True)
    print()
    return alarms


def _cells(one: Found) -> tuple[str, ...]:
    off = {True: "passes", False: "SEEN", None: ""}[one.off]
    return (
        one.fault.name,
        one.fault.where,
        one.caught_by or "NOTHING",
        one.stage,
        f"“{one.fault.kind}”" if one.stage == REFUSED else one.kind,
        str(one.roots),
        str(one.explains) if one.explains else "",
        off,
        "" if one.right else f"WRONG: want {one.fault.mode}, {one.fault.stage}, {one.expected_roots}",
    )


def _line(one: Found) -> str:
    widths = (46, 5, 7, 10, 14, 4, 5, 6, 0)
    cells = [f"{cell[: width or None]:{width}}" for cell, width in zip(_cells(one), widths, strict=True)]
    return " ".join(cells)


def _table(
    found: list[Found], pairs: list[Pair], late: list[Late], runs: int, alarms: int, seconds: float
) -> Table:
    counts = harness.summary(found)
    inside = [one for one in found if one.fault.where != "run"]
    off = [one for one in inside if one.off is not None]
    other = [f"“{one.fault.name}” {len(one.found)} for {len(one.expected)}" for one in late if not one.right]
    notes = [
        f"{counts['faults']} faults, {len(inside)} of them in code or in a live state: "
        f"{counts['detected']} detected, {counts['stage right']} with the right first stage, "
        f"{counts['roots counted once']} with every root counted once; {counts['all right']} right in all.",
        f"With the detector off (the tables of the stage named and of those after it taken from A) "
        f"{sum(bool(one.off) for one in off)} of {len(off)} pass as parity.",
        f"Of {len(pairs)} pairs of faults in a run's files, at two stages and mostly at one id, `--verify` "
        f"names both roots of {sum(pair.right for pair in pairs)}, plain `diff` of "
        f"{sum(pair.plain == pair.expected for pair in pairs)}.",
        f"Of {len(late)} faults in a run held against one at an earlier fence, `--allow-late --verify` gives "
        f"{len(late) - len(other)} the roots that they have at one fence (less late events, which only the "
        f"lake can judge). Others: {', '.join(other) or 'none'}.",
        f"{alarms} alarms in {runs} A/A runs: partitions interleaved otherwise, other batches, repeats.",
        f"{seconds:.0f} s in all.",
    ]
    return Table("Faults", COLUMNS[:8], [_cells(one)[:8] for one in found], notes)


def _markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*(f"- {note}" for note in table.notes), "", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())
