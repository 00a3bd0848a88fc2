"""What a lake says of each id up to a fence: the batch's arithmetic, out of core.

The records are parsed a bounded part at a time; of the events only what decides the version is kept, in
a temporary folder by groups of shards; then the winners of each group are resolved by themselves.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.lake_records import files_below, gaps_below, records_below
from shared import digests, versions
from shared.errors import CrossfadeError
from shared.events import EVENT_SCHEMA, parse
from shared.fence import Fence
from shared.lake import Lake
from shared.spec import Times

EVENTS_AT_ONCE = 250_000  # that are held, sorted or resolved together
_KEPT = pa.schema([field for field in EVENT_SCHEMA if field.name not in ("kind", "payload")])
_LEAST_SPILLED = pa.ipc.IpcWriteOptions(compression="lz4")

Progress = Callable[[int, int], None]
"""(records read, records in all)"""


@dataclass(frozen=True)
class LakeWinners:
    """dead_letters: records by reason. gaps: offsets before the fence that no file of the lake spans."""

    records: int
    events: int
    dead_letters: Mapping[str, int]
    gaps: int
    _files: tuple[Path, ...]
    _times: Times
    _horizon: int

    def groups(self) -> Iterator[tuple[list[int], pa.Table]]:
        """(shards, the winners of their ids as WINNER_SCHEMA without payloads); each shard once."""
        count = len(self._files)
        for number, file in enumerate(self._files):
            shards = np.flatnonzero(_groups(np.arange(digests.SHARDS), count) == number).tolist()
            yield shards, _resolve(file, self._times, self._horizon)


@contextmanager
def lake_winners(
    folder: Path, lake: Lake, fence: Fence, times: Times, progress: Progress
) -> Iterator[LakeWinners]:
    """What the lake's records before the fence give; to be used within the context.

    Memory: EVENTS_AT_ONCE events without payloads (some 100 bytes and an id each, and as much again
    twice to sort them) and a batch of records; beyond 64 million events, of a shard of ids what
    `versions.resolve` must keep. Disk: about 80 bytes and an id an event in the folder for temporary files.
    Raises SourceError where the lake is not what lake.json says, CrossfadeError where there is no room.
    """
    total = sum(file.rows for file in files_below(lake, fence))
    count = min(digests.SHARDS, max(1, -(-total // EVENTS_AT_ONCE)))
    records = events = 0
    reasons: Counter[str] = Counter()
    watermark = versions.NEVER

    def parsed() -> Iterator[pa.Table]:
        nonlocal records, events, watermark
        for table, done in records_below(folder, lake, fence):
            found = parse(table)
            watermark = max(watermark, versions.watermark(found.events, times))
            records += table.num_rows
            events += found.events.num_rows
            for entry in pc.value_counts(found.dead.column("reason")).to_pylist():
                reasons[entry["values"]] += entry["counts"]
            progress(done, total)
            yield found.events.select(_KEPT.names)

    with tempfile.TemporaryDirectory(prefix="crossfade-coverage-") as spilled:
        files = tuple(Path(spilled) / f"{number}.arrows" for number in range(count))
        _spill(parsed(), files)
        horizon = versions.horizon(watermark, times)
        gaps = gaps_below(lake, fence)
        yield LakeWinners(records, events, dict(reasons), gaps, files, times, horizon)


def _spill(tables: Iterable[pa.Table], files: tuple[Path, ...]) -> None:
    """Events (_KEPT) into an Arrow stream a group of shards. It has no footer that would have to be held."""
    try:
        with ExitStack() as stack:
            sinks = [stack.enter_context(pa.OSFile(str(file), "wb")) for file in files]
            writers = [
                stack.enter_context(pa.ipc.new_stream(sink, _KEPT, options=_LEAST_SPILLED)) for sink in sinks
            ]
            for table in _joined(tables):
                group = _groups(digests.shards(table.column("id")), len(files))
                ordered = table.take(pa.array(np.argsort(group, kind="stable")))
                ends = np.cumsum(np.bincount(group, minlength=len(files)))
                for writer, start, end in zip(writers, [0, *ends[:-1]], ends, strict=True):
                    if start < end:
                        writer.write_table(ordered.slice(start, end - start))
    except OSError as error:  # of reading the lake it is a SourceError already
        raise CrossfadeError(
            f"the lake's events cannot be kept in {files[0].parent} while they are compared: {error}; "
            f"let TMPDIR name a folder with more room"
        ) from error


def _groups(shards: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.int64]:
    """int64[n]: the group of each shard, one of `count`."""
    return shards.astype(np.int64) * count // digests.SHARDS


def _resolve(file: Path, times: Times, horizon: int) -> pa.Table:
    """The winners of a group, from what is kept of the events so far and the next of them."""
    resolved = versions.resolve(EVENT_SCHEMA.empty_table(), times, horizon)
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
        for events in _joined(pa.table(batch) for batch in stream):
            part = events.append_column("kind", pa.array([""] * len(events), pa.string())).append_column(
                "payload", pa.array([b""] * len(events), pa.binary())
            )
            resolved = versions.resolve(pa.concat_tables([resolved.kept, part]), times, horizon)
    return resolved.winners


def _joined(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about EVENTS_AT_ONCE."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        if rows >= EVENTS_AT_ONCE:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if rows:
        yield pa.concat_tables(held)
