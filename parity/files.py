"""Is a run what its manifest says? Files by size and footer always; every byte and row with --verify."""

import hashlib
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from parity.spread import Spread, one_by_one
from shared import digests
from shared.errors import SourceError
from shared.run import DAMAGED, STAGES, Run, Stage, require_columns
from shared.stage_writer import CONTRACT_KEY


def check_files(run: Run) -> None:
    """Every file exists with its size and its footer's rows, and no other; the counts add up. SourceError."""
    for name in STAGES:
        entry = run.manifest["stages"][name]
        _require_no_other(run, name, {file["path"] for file in entry["files"]})
        for file in entry["files"]:
            _check_file(run, STAGES[name], file)
        in_files = sum(file["rows"] for file in entry["files"])
        in_digests = sum(int(digest.partition(":")[0]) for digest in entry["digests"].values())
        if not entry["rows"] == in_files == in_digests:
            raise SourceError(
                f"{run.path}: the manifest gives {name} {entry['rows']} rows, its files {in_files} and its "
                f"digests {in_digests}; {DAMAGED}"
            )


def check_run(run: Run, verify: bool, spread: Spread = one_by_one) -> None:
    """`verify_contents` or, unless that is asked for, `check_files`."""
    if verify:
        verify_contents(run, spread)
    else:
        check_files(run)


def verify_contents(run: Run, spread: Spread = one_by_one) -> None:
    """`check_files`, and read everything: file checksums, and the digests of the rows. Raises SourceError."""
    check_files(run)
    files = [(name, file) for name in STAGES for file in run.manifest["stages"][name]["files"]]
    found = spread(partial(_verify_file, run), files)
    for name in STAGES:
        own = [digest for (stage, _), digest in zip(files, found, strict=True) if stage == name]
        _require(run, name, run.digests(name), sum(own, start=digests.empty()).to_json())


def _verify_file(run: Run, named: tuple[str, dict[str, Any]]) -> digests.Digest:
    """The digest of a file's rows; its bytes must have the manifest's checksum."""
    name, entry = named
    path = run.path / entry["path"]
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != entry["sha256"]:
            raise SourceError(f"{path} does not have the manifest's checksum; {DAMAGED}")
    total = digests.empty()
    for batch in run.file_batches(entry["path"]):
        total += _digest(run, STAGES[name], pa.table(batch))
    return total


def read_checked(run: Run, stage: Stage, shards: Iterable[int]) -> pa.Table:
    """The rows of these shards. Raises SourceError unless they have the manifest's digests."""
    wanted = list(shards)
    table = run.read(stage.name, wanted)
    stated = {shard: digest for shard, digest in run.digests(stage.name).items() if int(shard, 16) in wanted}
    _require(run, stage.name, stated, _digest(run, stage, table).to_json())
    return table


def _require_no_other(run: Run, name: str, listed: Collection[str]) -> None:
    """No Parquet file beside those listed, but for names that readers of a folder pass over."""
    for path in sorted((run.path / name).glob("[!._]*.parquet")):
        if f"{name}/{path.name}" not in listed:
            raise SourceError(
                f"{path} is not in the manifest, and whoever reads the folder reads its rows too; remove it, "
                f"or write the run again"
            )


def _check_file(run: Run, stage: Stage, entry: dict[str, Any]) -> None:
    path = run.path / entry["path"]
    try:
        size = path.stat().st_size
    except PermissionError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); may you read it?") from error
    except OSError as error:
        raise SourceError(
            f"{path} is missing ({error.strerror}), but the manifest lists it; {DAMAGED}"
        ) from error
    if size != entry["bytes"]:
        raise SourceError(f"{path} has {size} bytes, by the manifest {entry['bytes']}; {DAMAGED}")
    try:
        footer = pq.read_metadata(path)
        rows, contract = footer.num_rows, (footer.metadata or {}).get(CONTRACT_KEY)
        columns = footer.schema.to_arrow_schema()
    except PermissionError as error:
        raise SourceError(f"{path} cannot be read (Permission denied); may you read it?") from error
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} is no Parquet file ({error}); {DAMAGED}") from error
    if contract != run.contract_id.encode():
        raise SourceError(f"{path} is of another contract than its manifest's {run.contract_id}; {DAMAGED}")
    require_columns(path, stage, columns)
    if rows != entry["rows"]:
        raise SourceError(f"{path} has {rows} rows, by the manifest {entry['rows']}; {DAMAGED}")


def _digest(run: Run, stage: Stage, table: pa.Table) -> digests.Digest:
    stored = table.column("shard").to_numpy()
    if not np.array_equal(stored, digests.shards(table.column(stage.shard_by))):
        raise SourceError(
            f"{run.path}: rows of {stage.name} stand in a shard that is not their id's; {DAMAGED}"
        )
    return digests.digest(table, stage.shard_by, list(stage.digested))


def _require(run: Run, stage: str, stated: dict[str, str], found: dict[str, str]) -> None:
    if stated == found:
        return
    shards = sorted(key for key in stated | found if stated.get(key) != found.get(key))
    raise SourceError(
        f"{run.path / 'manifest.json'} does not have the digests of the rows of {stage} "
        f"(shard {', '.join(shards[:4])}{', …' if len(shards) > 4 else ''}); {DAMAGED}"
    )
