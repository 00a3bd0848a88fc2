"""A consumer with its real parts, run until it is told to stop."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import CrossfadeError, SourceError
from shared.fence import Fence
from shared.spec import Spec
from stream.clusters_topic import OutputTopics
from stream.consumer import Consumer, PayloadsAway
from stream.extraction import Workers
from stream.logs.checks import check_reachable
from stream.logs.in_step import InStep
from stream.logs.open import (
    append_times_are_the_brokers,
    check_same_kind,
    ensure_topic,
    open_reader,
    open_transactional_writer,
)
from stream.logs.settings import KafkaSettings
from stream.stores import open_store

BATCH_SIZE, IMAGE_BATCH_SIZE = 2_000, 64
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds, doubling, while payloads cannot be had

_TOTALS = ("records", "events", "dead_letters", "pairs_verified", "changes")


def default_workers(spec: Spec) -> int:
    """One a core for pictures. Texts and vectors are sketched faster than they are sent to a worker."""
    return (os.cpu_count() or 1) if spec.kind == "image" else 1


@contextlib.contextmanager
def open_consumer(
    spec: Spec,
    topic: str,
    state: Path,
    output: str,
    settings: KafkaSettings,
    batch_size: int | None = None,
    workers: int = 1,
) -> Iterator[Consumer]:
    """A consumer of `topic`, not yet recovered. Creates the output topics; closes everything at the end.

    workers: processes that extract features; with 0 or 1 this process does.
    """
    topics = OutputTopics(output)
    check_same_kind(topic, [output])
    if topic in (topics.clusters, topics.progress, topics.dead):
        raise CrossfadeError(
            f"{topic} is one of the consumer's own output topics; name the items topic with --topic"
        )
    with contextlib.ExitStack() as stack:
        reader = InStep(open_reader(topic, settings))
        stack.callback(reader.close)
        if spec.times.need_append_time and not append_times_are_the_brokers(topic, settings):
            raise CrossfadeError(
                f"the spec {spec.name} sets max_skew_ms or max_lateness_ms, which need the broker's append "
                f"time, and the topic {topic} has message.timestamp.type CreateTime; set it to LogAppendTime"
            )
        for name, compacted in ((topics.clusters, True), (topics.progress, True), (topics.dead, False)):
            ensure_topic(name, settings, partitions=1, compacted=compacted)
        store = open_store(state)
        stack.callback(store.close)
        writer = open_transactional_writer(
            topic, f"crossfade-{output.replace(':', '-').replace('/', '-')}", settings
        )
        stack.callback(writer.close)
        size = batch_size or (IMAGE_BATCH_SIZE if spec.kind == "image" else BATCH_SIZE)
        pool = stack.enter_context(contextlib.closing(Workers(spec, workers))) if workers > 1 else None
        yield Consumer(
            spec, reader, writer, store, topics, lambda name: open_reader(name, settings), size, pool
        )


@dataclass
class Follower:
    """Steps a consumer, counts, and tells `report(totals, lag)` and `stalled(error, seconds)` about it."""

    consumer: Consumer
    report: Callable[[dict[str, int], int], None] = lambda totals, lag: None
    stalled: Callable[[PayloadsAway, float], None] = lambda error, seconds: None
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TOTALS, 0))

    def to_end(self) -> None:
        """Until the log's end as it is now."""
        reader = self.consumer.reader
        self.to_fence(reader.identity.fence(reader.end_offsets()))

    def to_fence(self, fence: Fence) -> None:
        """Until every partition stands exactly there. PayloadsAway where payloads cannot be had now."""
        reader, positions = self.consumer.reader, fence.positions()
        if (fence.cluster, fence.topic) != (reader.identity.cluster, reader.identity.topic_id):
            raise SourceError(
                f"the fence is of {fence.describe()}, and {reader.identity.name} is topic "
                f"{reader.identity.topic_id} of cluster {reader.identity.cluster}"
            )
        past = {p: at for p, at in self.consumer.positions.items() if at > positions.get(p, 0)}
        if past:
            raise SourceError(
                f"the state is past the fence already, at {past} against {fence.describe()}; take a later "
                f"fence or a new --state"
            )
        check_reachable(reader, positions)
        while not fence.reached(self.consumer.positions):
            self._step(positions)

    def for_ever(self) -> None:
        """Until something stops it. Where payloads cannot be had it waits, and tries again."""
        seconds = FIRST_WAIT
        while True:
            try:
                self._step(None)
                seconds = FIRST_WAIT
            except PayloadsAway as error:
                self.stalled(error, seconds)
                time.sleep(seconds)
                seconds = min(2 * seconds, LONGEST_WAIT)

    def _step(self, limits: Mapping[int, int] | None) -> None:
        outcome = self.consumer.step(limits)
        if outcome is not None:
            for name, count in outcome.counts.items():
                self.totals[name] += count
            self.totals["changes"] += len(outcome.changes)
        # Asked even when nothing came: a broker that is away answers a poll with nothing, this with an error.
        ends = self.consumer.reader.end_offsets()
        lag = sum(max(0, end - self.consumer.positions.get(p, 0)) for p, end in ends.items())
        self.report(self.totals, lag)
