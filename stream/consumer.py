"""The consumer. The commit order, here and nowhere else:

1. poll a micro-batch and apply it to an overlay of the state, which also gets the source offsets;
2. in one transaction of the log: the cluster changes, the dead letters, the progress record
   {partition: next offset} and the source offsets; commit;
3. write the overlay to the store, in one batch.

The store's offsets are the truth about the state, the progress record the truth about the output. A
crash between 2 and 3 leaves the progress ahead: the next start replays up to it with output off, each
partition stopping at its own offset, and is then where it was. A progress record that is absent or
behind (a first start, a bootstrap, a lost topic) is answered by publishing the whole clustering, with
tombstones for ids that are no longer in it. An unknown result of a commit ends the process.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from shared.contract import contract, contract_id, require_equal
from shared.errors import SourceError, TransientError
from shared.fence import Fence
from shared.spec import Spec, to_dict
from stream import state
from stream.changes import ClusterChange, snapshot
from stream.clusters_topic import (
    OutputTopics,
    change_messages,
    dead_messages,
    progress_message,
    read_clusters,
    read_progress,
    tombstones,
)
from stream.logs.protocol import LogIdentity, LogReader, TransactionalWriter
from stream.microbatch import Outcome, apply
from stream.stores.protocol import Store

SNAPSHOT_CHUNK = 5_000  # changes a transaction


@dataclass(frozen=True)
class Parts:
    """What a consumer works with. `open_output(address)` opens a reader of one of its own topics."""

    spec: Spec
    reader: LogReader
    writer: TransactionalWriter
    store: Store
    topics: OutputTopics
    open_output: Callable[[str], LogReader]
    batch_size: int


@dataclass
class Consumer:
    """Call `recover` once, then `step` as often as wanted.

    After TransientError, `step` may be called again. After any other exception it is spent.
    """

    parts: Parts
    positions: dict[int, int] = field(default_factory=dict)  # of the state

    def recover(self) -> str:
        """Take over from an earlier consumer; returns what was done, in words."""
        parts = self.parts
        claim(parts.store, parts.spec, parts.reader.identity)
        parts.writer.start()
        self.positions = dict.fromkeys(parts.reader.partitions, 0) | stored_offsets(parts.store)
        parts.reader.seek(self.positions)
        progress = self._read_progress()
        if progress is None or any(progress.get(p, 0) < offset for p, offset in self.positions.items()):
            published = self._publish_all()
            return f"published the whole clustering ({published} records)" if published else "started"
        replayed = 0
        while (step := self._apply(progress, timeout=10.0)) is not None:
            parts.store.write(step.state.changes)
            replayed += step.counts["records"]
        if any(self.positions[p] < offset for p, offset in progress.items()):
            raise SourceError(
                f"the progress record says {progress} but the items topic gives no records past "
                f"{self.positions}; was it emptied? Start with a new state and a new --output topic"
            )
        return f"replayed {replayed} records without output" if replayed else "went on where it was"

    def step(self, limits: Mapping[int, int] | None = None, timeout: float = 0.5) -> Outcome | None:
        """One micro-batch, through all three steps; None if there is none.

        limits: {partition: offset} not to go past; the state then ends exactly there.
        """
        outcome = self._apply(limits, timeout)
        if outcome is not None:
            parts = self.parts
            messages = change_messages(parts.spec, parts.topics, outcome.changes)
            messages += dead_messages(parts.spec, parts.topics, outcome.dead)
            messages.append(progress_message(parts.spec, parts.topics, self.fence()))
            parts.writer.commit(messages, self.positions)
            parts.store.write(outcome.state.changes)
        return outcome

    def fence(self) -> Fence:
        """Where the state stands."""
        return self.parts.reader.identity.fence(self.positions)

    def _apply(self, limits: Mapping[int, int] | None, timeout: float) -> Outcome | None:
        """Poll and apply, no further than `limits`; moves `positions`. None: nothing came."""
        parts, reader = self.parts, self.parts.reader
        only = None if limits is None else [p for p, at in self.positions.items() if at < limits.get(p, 0)]
        if only is not None and not only:
            return None
        records = reader.poll(parts.batch_size, timeout, only)
        positions = reader.positions()
        if limits is not None:
            records, positions = _cut(records, positions, limits, only or [])
            reader.seek(positions)
        if positions == self.positions:
            return None
        try:
            outcome = apply(parts.spec, parts.store, records, positions)
        except TransientError:
            reader.seek(self.positions)  # nothing has happened: the next call polls the same records
            raise
        self.positions = positions
        return outcome

    def _read_progress(self) -> dict[int, int] | None:
        reader = self.parts.open_output(self.parts.topics.progress)
        try:
            return read_progress(self.parts.spec, reader, self.parts.reader.identity.topic_id)
        finally:
            reader.close()

    def _publish_all(self) -> int:
        """Make the topic say what the state says. The progress record goes last, so a crash repeats it."""
        parts = self.parts
        reader = parts.open_output(parts.topics.clusters)
        try:
            published = read_clusters(reader, parts.spec)
        finally:
            reader.close()
        count = 0
        for chunk in _chunks(snapshot(parts.spec, parts.store)):
            for change in chunk:
                published.pop(change.id.decode(), None)
            parts.writer.commit(change_messages(parts.spec, parts.topics, chunk), self.positions)
            count += len(chunk)
        for chunk in _chunks(iter(tombstones(list(published)))):
            parts.writer.commit(change_messages(parts.spec, parts.topics, chunk), self.positions)
            count += len(chunk)
        parts.writer.commit([progress_message(parts.spec, parts.topics, self.fence())], self.positions)
        return count


def claim(store: Store, spec: Spec, source: LogIdentity) -> None:
    """Stamp a new state with its contract and source; refuse one that has others."""
    mine: dict[str, Any] = {"id": contract_id(spec), "contract": contract(spec), "spec": to_dict(spec)}
    log = {"cluster": source.cluster, "topic": source.topic_id}
    known, known_log = store.get_many("meta", [state.META_CONTRACT, state.META_SOURCE])
    if known is None or known_log is None:
        stamp = {state.META_CONTRACT: orjson.dumps(mine), state.META_SOURCE: orjson.dumps(log)}
        store.write({"meta": stamp})
        return
    theirs = orjson.loads(known)
    require_equal(
        "the state", theirs["contract"], theirs["id"], f"spec {spec.name}", mine["contract"], mine["id"]
    )
    if orjson.loads(known_log) != log:
        raise SourceError(
            f"the state was made from topic {orjson.loads(known_log)} and {source.name} is {log}; a topic "
            f"that was deleted and made again is another one. Name a new --state folder"
        )


def stored_offsets(store: Store) -> dict[int, int]:
    """{partition: next offset} that the state stands at; empty for a new one."""
    (value,) = store.get_many("meta", [state.META_OFFSETS])
    return {int(partition): offset for partition, offset in orjson.loads(value or b"{}").items()}


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
