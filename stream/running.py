"""A consumer with its real parts, run until it is told to stop."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared.errors import CrossfadeError, SourceError
from shared.fence import Fence
from shared.spec import Spec
from stream.clusters_topic import OutputTopics
from stream.consumer import Consumer, Parts
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


@contextlib.contextmanager
def open_consumer(
    spec: Spec, topic: str, state: Path, output: str, settings: KafkaSettings, batch_size: int | None = None
) -> Iterator[Consumer]:
    """A consumer of `topic`, not yet recovered. Creates the output topics; closes everything at the end."""
    topics = OutputTopics(output)
    check_same_kind(topic, [output])
    with contextlib.ExitStack() as stack:
        reader = open_reader(topic, settings)
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
        parts = Parts(spec, reader, writer, store, topics, lambda name: open_reader(name, settings), size)
        yield Consumer(parts)


def follow(
    consumer: Consumer,
    until: Fence | None = None,
    until_end: bool = False,
    snapshot_at: Fence | None = None,
    snapshot: Path | None = None,
    report: Callable[[dict[str, Any], int], None] = lambda totals, lag: None,
) -> dict[str, Any]:
    """Step until the fence, the end as it is now, or for ever. Returns totals.

    snapshot_at: hold every partition there until all are, copy the state to `snapshot`, go on.
    """
    reader = consumer.parts.reader
    if until_end:
        until = reader.identity.fence(reader.end_offsets())
    totals = {"records": 0, "events": 0, "dead_letters": 0, "pairs_verified": 0, "changes": 0}
    if snapshot_at is not None and snapshot is not None:
        _to_fence(consumer, snapshot_at, totals, report)
        consumer.parts.store.checkpoint(snapshot)
    if until is not None:
        _to_fence(consumer, until, totals, report)
        return totals
    while True:
        _step(consumer, None, totals, report)


def _to_fence(
    consumer: Consumer, fence: Fence, totals: dict[str, Any], report: Callable[[dict[str, Any], int], None]
) -> None:
    identity = consumer.parts.reader.identity
    if (fence.cluster, fence.topic) != (identity.cluster, identity.topic_id):
        raise SourceError(
            f"the fence is of topic {fence.topic} in cluster {fence.cluster}, and {identity.name} is topic "
            f"{identity.topic_id} in cluster {identity.cluster}"
        )
    past = {p: at for p, at in consumer.positions.items() if at > fence.positions().get(p, 0)}
    if past:
        raise SourceError(
            f"the state is past the fence already, at {past} against {fence.describe()}; take a later fence or "
            f"a new --state"
        )
    while not fence.reached(consumer.positions):
        _step(consumer, fence.positions(), totals, report)


def _step(
    consumer: Consumer,
    limits: dict[int, int] | None,
    totals: dict[str, Any],
    report: Callable[[dict[str, Any], int], None],
) -> None:
    outcome = consumer.step(limits)
    if outcome is not None:
        for name, count in outcome.counts.items():
            totals[name] += count
        totals["changes"] += len(outcome.changes)
        ends = consumer.parts.reader.end_offsets()
        report(totals, sum(max(0, end - consumer.positions.get(p, 0)) for p, end in ends.items()))
