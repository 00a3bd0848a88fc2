"""What a folder holds, as plain JSON values: a run, or a lake."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity.clusters import cluster_sizes
from parity.files import check_files, verify_contents
from parity.lake_records import check_lake_files, records_below
from shared.errors import SourceError
from shared.fence import LAKE_MANIFEST
from shared.lake import read_lake
from shared.run import DAMAGED, MANIFEST, STAGES, Run, open_run

LARGEST = 10
BINS = 20  # of the similarity, from 0 to 1


def describe(path: Path, verify: bool = False) -> dict[str, Any] | None:
    """A description of the run or lake in this folder; None where it is neither.

    Raises SourceError where it is one of them and damaged; verify: every byte is read to know that.
    """
    if (path / MANIFEST).exists():
        run = open_run(path)
        if verify:
            verify_contents(run)
        return describe_run(run)
    if (path / LAKE_MANIFEST).exists():
        return describe_lake(path, verify)
    return None


def describe_run(run: Run) -> dict[str, Any]:
    """Counts, sizes and distributions of a run. Memory: what `cluster_sizes` needs, and a batch."""
    check_files(run)
    manifest = run.manifest
    sizes, largest = cluster_sizes(run, LARGEST)
    return {
        "kind": "run",
        "path": str(run.path),
        "engine": run.manifest["engine"],
        "versions": manifest["versions"],
        "contract_id": run.contract_id,
        "spec": manifest["spec"].get("name"),
        "input": manifest["input"],
        "stands_at": run.fence.describe() if run.fence else f"event set {run.event_set}",
        "counts": {name: value for name, value in manifest["counts"].items() if name != "statuses"},
        "statuses": _statuses(run),
        "stages": {name: _stage(run, name) for name in STAGES},
        "clusters": sum(sizes.values()),
        "cluster_sizes": {_range(size): count for size, count in sorted(_by_range(sizes).items())},
        "largest_clusters": [{"head": head, "size": size} for head, size in largest if size > 1],
        "similarity_of_edges": _similarities(run),
        "seconds": manifest["seconds"],
    }


def describe_lake(path: Path, verify: bool = False) -> dict[str, Any]:
    """What lake.json says; SourceError where a file is not there, or (verify) not what lake.json says."""
    lake = read_lake(path)
    assert lake is not None  # `describe` saw its manifest
    partitions: dict[int, Counter[str]] = defaultdict(Counter)
    for file in lake.files:
        if not (path / file.path).exists():
            raise SourceError(f"{path / file.path} is missing; the lake names it, so archive the topic again")
        partitions[file.partition].update(files=1, rows=file.rows, bytes=file.bytes)
    if verify:
        check_lake_files(path, lake, lake.fence)
        for _ in records_below(path, lake, lake.fence):
            pass
    return {
        "kind": "lake",
        "path": str(path),
        "topic": lake.topic,
        "stands_at": lake.fence.describe(),
        "fence": lake.fence.to_json(),
        "files": len(lake.files),
        "rows": sum(file.rows for file in lake.files),
        "bytes": sum(file.bytes for file in lake.files),
        "partitions": [
            {"partition": partition, **counts} for partition, counts in sorted(partitions.items())
        ],
    }


def _stage(run: Run, stage: str) -> dict[str, int]:
    files = run.manifest["stages"][stage]["files"]
    return {"rows": run.rows(stage), "files": len(files), "bytes": sum(file["bytes"] for file in files)}


def _statuses(run: Run) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for batch in run.batches("items", ["status"]):
        for entry in pc.value_counts(batch.column("status")).to_pylist():
            counts[entry["values"]] += entry["counts"]
    return dict(sorted(counts.items()))


def _by_range(sizes: Counter[int]) -> Counter[int]:
    """Cluster sizes by the power of two at or below them."""
    ranges: Counter[int] = Counter()
    for size, count in sizes.items():
        ranges[1 << (size.bit_length() - 1)] += count
    return ranges


def _range(start: int) -> str:
    return str(start) if start == 1 else f"{start}-{2 * start - 1}"


def _similarities(run: Run) -> list[dict[str, Any]]:
    """Edges by channel and similarity, in bins of 1/20; the last holds 1 alone."""
    bins: Counter[tuple[str, int]] = Counter()
    for batch in run.batches("edges", ["channel", "numerator", "denominator"]):
        if pc.any(pc.less_equal(batch.column("denominator"), 0)).as_py():
            raise SourceError(f"{run.path}: the strength of an edge is no ratio; {DAMAGED}")
        place = pc.divide(pc.multiply(batch.column("numerator"), BINS), batch.column("denominator"))
        pairs = pa.table({"channel": batch.column("channel"), "bin": place})
        for row in pairs.group_by(["channel", "bin"]).aggregate([([], "count_all")]).to_pylist():
            bins[row["channel"], row["bin"]] += row["count_all"]
    return [
        {"channel": channel, "from": f"{place / BINS:.2f}", "edges": count}
        for (channel, place), count in sorted(bins.items())
    ]
