"""Stage digests in Spark: every file read back by a task, the parts added up on the driver."""

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from batch import tasks
from batch.job import Job
from batch.tasks import Batches, Counts, Outputs
from shared import digests
from shared.digests import Digest
from shared.run import STAGES, Stage

_ROWS = 65_536


def run_digests(job: Job) -> Counts:
    """counts: {stage: its digest, packed}, from the rows on disk."""
    files = [(name, str(file)) for name in STAGES for file in sorted((job.run / name).glob("*.parquet"))]
    parts = min(len(files), 2 * job.spark.sparkContext.defaultParallelism)
    counts = job.write(tasks.numbered(job.spark, parts), partial(_read_back, files, parts))
    return {name: pack(total(unpack(entry[name]) for entry in counts)) for name in STAGES}


def _read_back(files: list[tuple[str, str]], parts: int, batches: Batches, outputs: Outputs) -> Counts:
    found = {name: digests.empty() for name in STAGES}
    for name, file in files[outputs.partition :: parts]:
        found[name] += file_digest(STAGES[name], Path(file))
    return {name: pack(digest) for name, digest in found.items()}


def file_digest(stage: Stage, file: Path) -> Digest:
    with pq.ParquetFile(file) as opened:
        columns = list(dict.fromkeys([stage.shard_by, *stage.digested]))
        return total(
            digests.digest(pa.table(batch), stage.shard_by, list(stage.digested))
            for batch in opened.iter_batches(_ROWS, columns=columns)
        )


def total(parts: Iterable[Digest]) -> Digest:
    return sum(parts, start=digests.empty())


def pack(digest: Digest) -> str:
    """As hex, for the way from a task to the driver."""
    return digest.rows.astype("<i8").tobytes().hex() + digest.lanes.astype("<u8").tobytes().hex()


def unpack(packed: str) -> Digest:
    numbers = np.frombuffer(bytes.fromhex(packed), "<i8")
    return Digest(numbers[: digests.SHARDS], numbers[digests.SHARDS :].view("<u8").reshape(digests.SHARDS, 2))


def name_of(digest: Digest) -> str:
    """One short name for a digest: 32 hex digits."""
    return hashlib.sha256(orjson.dumps(digest.to_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
