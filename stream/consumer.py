"""The consumer. The commit order, here and nowhere else:

1. poll a micro-batch and apply it to an overlay of the state, which also gets the source offsets;
   with workers (stream/extraction.py) the next one is polled before that, and its features are begun;
2. in one transaction of the log: the cluster changes, the dead letters, the progress record
   {partition: next offset} and the source offsets; commit;
3. write the overlay to the store, in one batch.

The store's offsets are the truth about the state, the progress record the truth about the output. A
crash between 2 and 3 leaves the progress ahead: the next start replays up to it with output off, each
partition stopping at its own offset, and is then where it was. A progress record that is absent or
behind (a first start, a bootstrap, a lost topic) is answered by publishing the whole clustering, with
tombstones for ids that are no longer in it. An unknown result of a commit ends the process.

A batch polled ahead has no effect until its turn comes: only the reader's position and what the workers
are busy with. At most one is ahead, which holds back the log when features are the slower part.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from shared.contract import contract, contract_id, require_equal
from shared.errors import CrossfadeError, SourceError, TransientError
from shared.fence import Fence
from shared.spec import Spec, to_dict
from stream import state
from stream.changes import ClusterChange, snapshot
from stream.checked import Checked
from stream.clusters_topic import (
    OutputTopics,
    change_messages,
    dead_messages,
    progress_message,
    read_clusters,
    read_progress,
    tombstones,
)
from stream.extraction import Sketching, Workers
from stream.logs.protocol import LogIdentity, LogReader, TransactionalWriter
from stream.meta import CONTRACT, SOURCE, state_fence, stored
from stream.microbatch import Outcome, apply, likely_winners
from stream.stores.protocol import Store

SNAPSHOT_CHUNK = 5_000  # changes a transaction


class PayloadsAway(TransientError):
    """Payloads cannot be had now. Nothing has happened: `step` may be called again."""


@dataclass(frozen=True)
class _Batch:
    """Records polled under `limits`, the positions after them, and their sketches if they were begun."""

    records: pa.Table
    positions: dict[int, int]
    limits: Mapping[int, int] | None
    sketching: Sketching | None


@dataclass
class Consumer:
    """Call `recover` once, then `step` as often as wanted.

    `open_output(address)` opens a reader of one of its own topics. workers: sketch a batch ahead there; None:
    in this process. After PayloadsAway, `step` may be called again. After any other exception the consumer is
    spent: make another, and let it recover.
    """

    spec: Spec
    reader: LogReader
    writer: TransactionalWriter
    store: Store
    topics: OutputTopics
    open_output: Callable[[str], LogReader]
    batch_size: int
    workers: Workers | None = None
    positions: dict[int, int] = field(default_factory=dict)  # where the state stands
    _ahead: _Batch | None = None  # then the reader stands after it, else where the state stands

    def recover(self) -> str:
        """Take over from an earlier consumer; returns what was done, in words."""
        self._read_progress()  # refuses another contract's topic before anything is stamped or anybody fenced
        claim(self.store, self.spec, self.reader.identity, self.reader.partitions)
        self.writer.start()
        self.positions = dict.fromkeys(self.reader.partitions, 0) | state_fence(self.store).positions()
        self.reader.seek(self.positions)
        progress = self._read_progress()
        if progress is None or any(progress.get(p, 0) < offset for p, offset in self.positions.items()):
            published = self._publish_all()
            return f"published the whole clustering ({published} records)" if published else "started"
        replayed = 0
        while (applied := self._apply(progress, timeout=10.0)) is not None:
            outcome, positions = applied
            self.store.write(outcome.state.changes)
            self.positions = positions
            replayed += outcome.counts["records"]
        if any(self.positions[p] < offset for p, offset in progress.items()):
            raise SourceError(
                f"the progress record says {progress} but the items topic gives no records past "
                f"{self.positions}; was it emptied? Start with a new state and a new --output topic"
            )
        if not replayed:
            return "went on where it was"
        # What is behind a URI may be gone since the output was sent; then the state says something else.
        corrected = self._publish_all() if self.spec.kind == "image" else 0
        done = f"replayed {replayed} records without output"
        return f"{done}, then corrected {corrected} clusters" if corrected else done

    def step(self, limits: Mapping[int, int] | None = None, timeout: float = 0.5) -> Outcome | None:
        """One micro-batch, through all three steps; None if there is none.

        limits: {partition: offset} not to go past; the state then ends exactly there.
        """
        applied = self._apply(limits, timeout)
        if applied is None:
            return None
        outcome, positions = applied
        messages = change_messages(self.spec, self.topics, outcome.changes)
        messages += dead_messages(self.spec, self.topics, outcome.dead)
        messages.append(progress_message(self.spec, self.topics, self.reader.identity.fence(positions)))
        self.writer.commit(messages, positions)
        self.store.write(outcome.state.changes)
        self.positions = positions
        return outcome

    def fence(self) -> Fence:
        """Where the state stands."""
        return self.reader.identity.fence(self.positions)

    def _apply(
        self, limits: Mapping[int, int] | None, timeout: float
    ) -> tuple[Outcome, dict[int, int]] | None:
        """Poll and apply, no further than `limits`: (outcome, the positions after it). None: nothing came."""
        if self._ahead is not None and self._ahead.limits != limits:
            self._rewind(self._ahead)
        batch, self._ahead = self._ahead or self._poll(limits, timeout), None
        if batch is None:
            return None
        if self.workers is not None:
            self._ahead = self._poll(limits, timeout=0.0)
        try:
            outcome = apply(self.spec, self.store, batch.records, batch.positions, batch.sketching)
        except TransientError as error:
            self._rewind(batch, self._ahead)
            raise PayloadsAway(str(error)) from error
        except CrossfadeError:
            raise
        except Exception:
            # Looking at each record that is read would cost every micro-batch. If a record of the state is
            # damaged, this names it; else it is as much of a bug as it was.
            apply(self.spec, Checked(self.store, self.spec), batch.records, batch.positions)
            raise
        return outcome, batch.positions

    def _poll(self, limits: Mapping[int, int] | None, timeout: float) -> _Batch | None:
        """The next records, no further than `limits`; with workers, their sketches are begun."""
        start = self.reader.positions()
        only = None if limits is None else [p for p, at in start.items() if at < limits.get(p, 0)]
        if only is not None and not only:
            return None
        records = self.reader.poll(self.batch_size, timeout, only)
        positions = self.reader.positions()
        if limits is not None:
            records, positions = _cut(records, positions, limits, only or [])
        self.reader.seek(positions)
        if positions == start:
            return None
        sketching = None
        if self.workers is not None:
            sketching = self.workers.begin(likely_winners(self.spec, self.store, records))
        return _Batch(records, positions, limits, sketching)

    def _rewind(self, *batches: _Batch | None) -> None:
        """Give back what was polled: nothing is ahead, and the reader stands where the state does."""
        for batch in batches:
            if batch is not None and batch.sketching is not None:
                batch.sketching.cancel()
        self._ahead = None
        self.reader.seek(self.positions)

    def _read_progress(self) -> dict[int, int] | None:
        reader = self.open_output(self.topics.progress)
        try:
            return read_progress(self.spec, reader, self.reader.identity)
        finally:
            reader.close()

    def _publish_all(self) -> int:
        """Make the topic say what the state says, by what it says now; the records sent.

        The progress record goes last, so that a crash repeats this.
        """
        reader = self.open_output(self.topics.clusters)
        try:
            published = read_clusters(reader, self.spec)
        finally:
            reader.close()
        count = 0
        for chunk in _chunks(snapshot(self.spec, self.store)):
            said = [published.pop(change.id.decode(), None) for change in chunk]
            news = [c for c, before in zip(chunk, said, strict=True) if not c.is_said_by(before, self.spec)]
            if news:
                self.writer.commit(change_messages(self.spec, self.topics, news), self.positions)
            count += len(news)
        for chunk in _chunks(iter(tombstones(list(published)))):
            self.writer.commit(change_messages(self.spec, self.topics, chunk), self.positions)
            count += len(chunk)
        self.writer.commit([progress_message(self.spec, self.topics, self.fence())], self.positions)
        return count


def claim(store: Store, spec: Spec, source: LogIdentity, partitions: Iterable[int]) -> None:
    """Stamp a new state with its contract, source and where it stands; refuse one that has others."""
    mine: dict[str, Any] = {"id": contract_id(spec), "contract": contract(spec), "spec": to_dict(spec)}
    log = {"cluster": source.cluster, "topic": source.topic_id}
    theirs = stored(store, state.META_CONTRACT, CONTRACT)
    known_log = stored(store, state.META_SOURCE, SOURCE)
    if theirs is None or known_log is None:
        start = {str(partition): 0 for partition in partitions}
        store.write(
            {
                "meta": {
                    state.META_FORMAT: orjson.dumps(state.FORMAT),
                    state.META_CONTRACT: orjson.dumps(mine),
                    state.META_SOURCE: orjson.dumps(log),
                    state.META_OFFSETS: orjson.dumps(start),
                }
            }
        )
        return
    state.require_format(store)
    require_equal(
        "the state", theirs["contract"], theirs["id"], f"spec {spec.name}", mine["contract"], mine["id"]
    )
    if known_log != log:
        raise SourceError(
            f"the state was made from topic {known_log} and {source.name} is {log}; a topic "
            f"that was deleted and made again is another one. Name a new --state folder"
        )


def _cut(
    records: pa.Table, positions: dict[int, int], limits: Mapping[int, int], only: list[int]
) -> tuple[pa.Table, dict[int, int]]:
    """Records and positions, held at the limits of the partitions that were read."""
    partitions, offsets = records.column("partition").to_numpy(), records.column("offset").to_numpy()
    keep = np.ones(records.num_rows, dtype=bool)
    for partition in only:
        keep &= (partitions != partition) | (offsets < limits[partition])
    held = {p: min(at, limits[p]) if p in only else at for p, at in positions.items()}
    return records.filter(pa.array(keep)), held


def _chunks(changes: Iterator[ClusterChange]) -> Iterator[list[ClusterChange]]:
    while chunk := list(islice(changes, SNAPSHOT_CHUNK)):
        yield chunk
