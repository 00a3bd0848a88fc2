"""What either run took: work that the spec decides, sizes, and the seconds of the manifests."""

from collections.abc import Iterator

import pyarrow.compute as pc

from parity.upgrade.result import Cost
from shared.run import Run


def costs(a: Run, b: Run) -> tuple[Cost, ...]:
    """The same lines of both. Reads one column of two tables. Raises SourceError."""
    sides = (dict(_of(a)), dict(_of(b)))
    return tuple(Cost(what, sides[0][what], sides[1][what]) for what in sides[0])


def _of(run: Run) -> Iterator[tuple[str, int | float | None]]:
    yield "candidate pairs", _sum(run, "candidates", "pairs")
    yield "bucket entries", _sum(run, "buckets", "entries")
    yield "pairs that draws left out", _count(run, "left_out")
    yield "edges", run.rows("edges")
    for stage in ("signatures", "verification"):
        files = run.manifest["stages"][stage]["files"]
        yield f"bytes of {stage}", sum(int(file["bytes"]) for file in files)
    seconds = run.manifest["seconds"].values()
    yield "seconds of its stages", round(float(sum(seconds)), 3) if seconds else None


def _sum(run: Run, stage: str, column: str) -> int:
    batches = run.batches(stage, [column])
    return sum(pc.sum(batch.column(column)).as_py() or 0 for batch in batches)


def _count(run: Run, name: str) -> int | None:
    value = run.manifest["counts"].get(name)
    return int(value) if isinstance(value, int) else None
