"""A run: what an engine found, in one folder format for both, so that every tool takes either.

manifest.json    written last; a folder without one is no run
items/ signatures/ verification/ buckets/ candidates/ edges/ clusters/
                 Parquet, sorted by (shard, id) in each file
"""

import hashlib
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from shared import contract, digests
from shared.durable import write_json
from shared.errors import SourceError, SpecError
from shared.fence import Fence
from shared.manifest import check_manifest, fence_of
from shared.shape import read_json, shown
from shared.spec import Spec, from_dict, to_dict

FORMAT = 2
MANIFEST = "manifest.json"
DAMAGED = "the run is damaged; write it again"


@dataclass(frozen=True)
class Stage:
    """One table of a run. `digested` columns count for parity: position and append time do not."""

    name: str
    schema: pa.Schema
    shard_by: str
    digested: tuple[str, ...]


def _stage(
    name: str, shard_by: str, columns: list[tuple[str, pa.DataType]], outside: Sequence[str] = ()
) -> Stage:
    schema = pa.schema([pa.field("shard", pa.int32(), False), *(pa.field(n, t, False) for n, t in columns)])
    return Stage(name, schema, shard_by, tuple(n for n, _ in columns if n not in outside))


_STRING, _INT64, _BINARY = pa.string(), pa.int64(), pa.binary()
_MATCH = [("channel", _STRING), ("numerator", _INT64), ("denominator", _INT64)]

ITEMS = _stage(
    "items",
    "id",
    [
        ("id", _STRING),
        ("op", _STRING),
        ("event_time", _INT64),
        ("append_time", _INT64),
        ("version_time", _INT64),
        ("effective_time", _INT64),
        ("digest", _BINARY),
        ("partition", pa.int32()),
        ("offset", _INT64),
        ("status", _STRING),
    ],
    outside=("append_time", "partition", "offset"),
)
SIGNATURES = _stage("signatures", "id", [("id", _STRING), ("channel", _STRING), ("signature", _BINARY)])
VERIFICATION = _stage("verification", "id", [("id", _STRING), ("channel", _STRING), ("record", _BINARY)])
# What the engine itself found in its buckets and drew, an item in 64 bits (shared/traces.py).
BUCKETS = _stage("buckets", "id", [("id", _STRING), ("entries", _INT64), ("trace", _INT64)])
CANDIDATES = _stage("candidates", "id", [("id", _STRING), ("pairs", _INT64), ("trace", _INT64)])
EDGES = _stage("edges", "later", [("earlier", _STRING), ("later", _STRING), *_MATCH])
CLUSTERS = _stage("clusters", "id", [("id", _STRING), ("head", _STRING), *_MATCH])
STAGES = {
    stage.name: stage for stage in (ITEMS, SIGNATURES, VERIFICATION, BUCKETS, CANDIDATES, EDGES, CLUSTERS)
}


@dataclass(frozen=True)
class Run:
    """A finished run, opened for reading."""

    path: Path
    manifest: dict[str, Any]

    @property
    def contract_id(self) -> str:
        return str(self.manifest["contract_id"])

    @property
    def spec(self) -> Spec:
        """Raises SpecError where this machine cannot make it: it lacks the codebook, for instance."""
        try:
            return from_dict(self.manifest["spec"])
        except SpecError as error:
            raise SpecError(f"the spec in {self.path / MANIFEST} cannot be used here: {error}") from error

    @property
    def fence(self) -> Fence | None:
        """None for a run made from files without offsets; `event_set` is then its digest."""
        return fence_of(self.path / MANIFEST, self.manifest)

    @property
    def event_set(self) -> str | None:
        value = self.manifest["input"].get("event_set")
        return None if value is None else str(value)

    @property
    def watermark(self) -> int | None:
        """The greatest version time of its records, in ms; None where they hold no event."""
        value = self.manifest["input"].get("watermark_ms")
        return None if value is None else int(value)

    def digests(self, stage: str) -> dict[str, str]:
        """shard -> "rows:hash", as `Digest.to_json` gives it."""
        return dict(self.manifest["stages"][stage]["digests"])

    def rows(self, stage: str) -> int:
        return int(self.manifest["stages"][stage]["rows"])

    def read(
        self, stage: str, shards: Sequence[int] | None = None, columns: list[str] | None = None
    ) -> pa.Table:
        """The stage's rows (of these shards only), in no particular order across files."""
        keep = None if shards is None else pc.field("shard").isin(list(shards))
        with self._reading(stage):
            table = self._dataset(stage).to_table(columns=columns, filter=keep)
            self._require_values(stage, table)
        return table

    def batches(self, stage: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The stage's rows, in bounded memory: a row group at a time, or else Arrow keeps what it read."""
        for entry in self.manifest["stages"][stage]["files"]:
            yield from self.file_batches(entry["path"], columns)

    def file_batches(self, path: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one file of the manifest."""
        stage, _, _ = path.partition("/")
        with self._reading(stage), pq.ParquetFile(self.path / path) as file:
            require_columns(self.path / path, STAGES[stage], file.schema_arrow)
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(row_groups=[group], columns=columns):
                    self._require_values(stage, batch)
                    yield batch

    @contextmanager
    def _reading(self, stage: str) -> Iterator[None]:
        """SourceError where rows of a stage cannot be read within: a diff has read only those that differ."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{self.path}: the rows of {stage} cannot be read ({error}); {DAMAGED}"
            ) from error

    def _require_values(self, stage: str, rows: pa.Table | pa.RecordBatch) -> None:
        """SourceError where one is null, an Arrow error where one is not UTF-8: no engine writes those."""
        rows.validate(full=True)
        for name in rows.schema.names:
            if rows.column(name).null_count:
                raise SourceError(f"{self.path}: {stage} has rows without {name}; {DAMAGED}")

    def _dataset(self, stage: str) -> ds.Dataset:
        files = [str(self.path / entry["path"]) for entry in self.manifest["stages"][stage]["files"]]
        return ds.dataset(files, schema=STAGES[stage].schema, format="parquet")


def require_columns(file: Path, stage: Stage, found: pa.Schema) -> None:
    """SourceError where a file has other columns or types than the stage: readers would cast them."""
    named = {field.name: field.type for field in found}
    if len(named) < len(found):
        raise SourceError(f"{file} has a column twice; {DAMAGED}")
    for field in stage.schema:
        kind = named.pop(field.name, "not there")
        if kind != field.type:
            raise SourceError(
                f"{file}: {field.name} is {kind}, and in {stage.name} it is {field.type}; {DAMAGED}"
            )
    if named:
        raise SourceError(f"{file}: {shown(min(named))} is no column of {stage.name}; {DAMAGED}")


def open_run(path: str | Path) -> Run:
    """Raises SourceError where there is no finished run, or one of a format this version cannot read."""
    file = Path(path) / MANIFEST
    try:
        manifest = read_json(file)
    except FileNotFoundError as error:
        raise SourceError(f"{path} is not a finished run: it has no {MANIFEST}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = shown(manifest["format"]) if isinstance(manifest, dict) and "format" in manifest else "none"
        raise SourceError(f"{file} has run format {found}; this version of crossfade reads format {FORMAT}")
    check_manifest(file, manifest, STAGES)
    return Run(Path(path), manifest)


def stage_entry(run: Path, stage: Stage, digest: digests.Digest) -> dict[str, Any]:
    """The manifest's entry of a stage whose files are written; `digest` is of the rows read back."""
    files = [_file_entry(run, file) for file in sorted((run / stage.name).rglob("*.parquet"))]
    return {"rows": int(digest.rows.sum()), "digests": digest.to_json(), "files": files}


def read_back(run: Path, stage: Stage) -> digests.Digest:
    """The digest of a stage's files as they are on disk, in bounded memory."""
    total = digests.empty()
    files = [str(file) for file in sorted((run / stage.name).rglob("*.parquet"))]
    for batch in ds.dataset(files, schema=stage.schema, format="parquet").to_batches() if files else ():
        total += digests.digest(pa.table(batch), stage.shard_by, list(stage.digested))
    return total


def _file_entry(run: Path, file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    rows = pq.read_metadata(file).num_rows
    return {
        "path": str(file.relative_to(run)),
        "bytes": file.stat().st_size,
        "rows": rows,
        "sha256": checksum,
    }


def library_versions(*of_the_engine: str) -> dict[str, str]:
    """What may change a result without changing the contract: name -> version, for the manifest."""
    libraries = ("crossfade", "numba", "numpy", "opencv-python-headless", "pdqhash", "pillow", "pyarrow")
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in (*libraries, *of_the_engine)
    }


def write_manifest(
    run: Path,
    spec: Spec,
    engine: str,
    versions: dict[str, str],
    source: dict[str, Any],
    stages: dict[str, dict[str, Any]],
    counts: dict[str, Any],
    seconds: dict[str, float],
) -> None:
    """Write manifest.json, atomically and last: with it the folder is a run.

    source: {"fence": …, "lake": path} or {"event_set": digest, "files": …}, and the watermark_ms of its
    events, if any. counts: what was read, dropped and left out, by name. seconds: wall time by stage.
    """
    manifest = {
        "format": FORMAT,
        "engine": engine,
        "versions": versions,
        "written_at_ms": int(time.time() * 1000),
        "contract_id": contract.contract_id(spec),
        "contract": contract.contract(spec),
        "spec": to_dict(spec),
        "input": source,
        "counts": counts,
        "stages": stages,
        "seconds": seconds,
    }
    write_json(run / MANIFEST, manifest)
