"""A lake's records through the stream's own code, in an order that no two rehearsals share: for A/A runs.

Partitions are interleaved at random, batches have any size, the last records of a partition come again as
they do after a crash, and the state is closed and opened in between. What comes out must not depend on it.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import SourceError
from shared.lake import Lake, file_tables, read_lake
from shared.records import RECORD_SCHEMA
from shared.run import Run
from shared.spec import Spec
from stream.consumer import claim
from stream.export import export
from stream.logs.protocol import LogIdentity
from stream.microbatch import apply
from stream.stores import open_store

MOST_ROWS = 2_000
AGAIN = 50  # records that come once more
_RESTART, _REPEAT = 0.1, 0.25  # chances, of each batch


def rehearse(
    spec: Spec,
    lake_folder: Path,
    state: Path,
    output: Path,
    seed: int,
    progress: Callable[[int], None] = lambda records: None,
    most_rows: int = MOST_ROWS,
) -> Run:
    """Consume the lake into the new state and export it. The order follows from `seed`.

    progress(records so far) is called after each batch. most_rows: of one partition in a batch.
    Memory: a row group of each partition.
    """
    lake = read_lake(lake_folder)
    if lake is None:
        raise SourceError(f"{lake_folder} is no lake; make one with `crossfade archive`")
    rng = random.Random(seed)
    source = LogIdentity(lake.fence.cluster, lake.fence.topic, lake.topic)
    at = dict.fromkeys(lake.fence.positions(), 0)
    batches = _shuffled(lake_folder, lake, rng, most_rows)
    done = 0
    more = True
    while more:
        more = False
        with closing(open_store(state)) as store:  # once more after each restart
            claim(store, spec, source, at)
            for records in batches:
                _advance(at, records)
                store.write(apply(spec, store, records, at).state.changes)
                done += records.num_rows
                progress(done)
                if more := rng.random() < _RESTART:
                    break
    with closing(open_store(state)) as store:
        empty = RECORD_SCHEMA.empty_table()  # the fence may lie past the last record
        store.write(apply(spec, store, empty, lake.fence.positions()).state.changes)
        return export(store, output, lake=lake_folder)


def _advance(at: dict[int, int], records: pa.Table) -> None:
    places = (records.column(name).to_pylist() for name in ("partition", "offset"))
    for partition, offset in zip(*places, strict=True):
        at[partition] = max(at[partition], offset + 1)


def _shuffled(folder: Path, lake: Lake, rng: random.Random, most_rows: int) -> Iterator[pa.Table]:
    """Batches of records; inside a partition they keep their order, but for those that come again."""
    parts = {
        p: _records(folder, lake, p, rng, most_rows) for p in sorted({file.partition for file in lake.files})
    }
    while parts:
        batch = []
        for partition in rng.sample(sorted(parts), rng.randint(1, len(parts))):
            piece = next(parts[partition], None)
            if piece is None:
                del parts[partition]
            else:
                batch.append(piece)
        if batch:
            yield pa.concat_tables(batch)


def _records(
    folder: Path, lake: Lake, partition: int, rng: random.Random, most_rows: int
) -> Iterator[pa.Table]:
    end = lake.fence.positions()[partition]
    for entry in sorted((f for f in lake.files if f.partition == partition), key=lambda f: f.base):
        for whole in file_tables(folder, entry):
            table = whole.filter(pc.less(whole.column("offset"), end))
            start = 0
            while start < table.num_rows:
                rows = rng.randint(1, most_rows)
                again = rng.randint(0, AGAIN) if rng.random() < _REPEAT else 0
                first = max(0, start - again)
                yield table.slice(first, start - first + rows)
                start += rows
