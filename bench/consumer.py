"""Items a second of the consumer, from a Kafka broker of its own into RocksDB; and without the log."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from bench import corpus
from bench.report import Table
from shared.records import RECORD_SCHEMA
from shared.spec import Spec, load
from stream import broker
from stream.logs.open import ensure_topic, open_writer
from stream.logs.settings import KafkaSettings
from stream.microbatch import apply
from stream.running import open_consumer
from stream.stores import open_store
from stream.stores.memory import MemoryStore
from stream.stores.protocol import Store

ITEMS = 100_000
BATCH = 2_000
PARTITIONS = 4
FIFTHS = ("first fifth", "second", "third", "fourth", "last fifth")


def run(items: int = ITEMS) -> Table:
    """The whole consumer, then its index alone on the same records."""
    with TemporaryDirectory(prefix="crossfade-bench-") as folder:
        warm_up()
        through = _through_kafka(Path(folder), items)
        megabytes = sum(f.stat().st_size for f in (Path(folder) / "state").rglob("*") if f.is_file()) / 1e6
        alone = _alone(Path(folder), items)
    both = (through, alone)
    rows = [
        ["whole", *(f"{items / sum(steps.seconds):,.0f}" for steps in both)],
        ["whole, of processor time", *(f"{items / steps.processor:,.0f}" for steps in both)],
        *(
            [name, f"{a:,.0f}", f"{b:,.0f}"]
            for name, a, b in zip(FIFTHS, _fifths(through), _fifths(alone), strict=True)
        ),
    ]
    return Table(
        "Consumer: items a second, one process",
        ["", "Kafka to RocksDB", "index and RocksDB alone"],
        rows,
        [
            f"{items:,} texts of {corpus.WORDS} words, {corpus.EDITED:.0%} of them edits of earlier ones; "
            f"preset `text`, micro-batches of {BATCH:,}, {PARTITIONS} partitions.",
            "Through Kafka every batch is one transaction with its changes and its progress record. The "
            "broker runs on the same machine.",
            f"The state takes {megabytes:,.0f} MB on disk.",
        ],
        {
            "items": items,
            "kafka": asdict(through) | {"fifths": _fifths(through)},
            "alone": asdict(alone) | {"fifths": _fifths(alone)},
            "state_bytes": int(megabytes * 1e6),
        },
    )


@dataclass
class Steps:
    """records, seconds: of each micro-batch. processor: seconds of all of the process's threads."""

    records: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    processor: float = 0.0

    def add(self, step: Callable[[], int]) -> None:
        """Run a step, which returns its number of records, and take its time."""
        started, processor = time.perf_counter(), time.process_time()
        self.records.append(step())
        self.seconds.append(time.perf_counter() - started)
        self.processor += time.process_time() - processor


def warm_up() -> None:
    """Compile or load every kernel."""
    records = [record for chunk in corpus.chunks(BATCH, BATCH) for record in chunk]
    apply(load("text"), MemoryStore(), _table(records, 0), {0: BATCH})


def _through_kafka(folder: Path, items: int) -> Steps:
    settings = KafkaSettings(broker.start(folder / "broker").bootstrap_servers)
    try:
        ensure_topic("items", settings, partitions=PARTITIONS, append_time=True)
        writer = open_writer("items", settings)
        for chunk in corpus.chunks(items, 10_000):
            writer.append("items", chunk)
        writer.close()
        steps = Steps()
        with open_consumer(load("text"), "items", folder / "state", "clusters", settings, BATCH) as consumer:
            consumer.recover()
            while sum(steps.records) < items:
                steps.add(lambda: outcome.counts["records"] if (outcome := consumer.step()) else 0)
        return steps
    finally:
        broker.stop(folder / "broker")


def _alone(folder: Path, items: int) -> Steps:
    spec, store = load("text"), open_store(folder / "alone")
    steps, position = Steps(), 0
    for chunk in corpus.chunks(items, BATCH):
        records = _table(chunk, position)
        position += len(chunk)
        steps.add(partial(_step, spec, store, records, position))
    store.close()
    return steps


def _step(spec: Spec, store: Store, records: pa.Table, position: int) -> int:
    outcome = apply(spec, store, records, {0: position})
    store.write(outcome.state.changes)
    return outcome.counts["records"]


def _table(records: list[tuple[bytes, bytes]], first: int) -> pa.Table:
    """RECORD_SCHEMA of one partition, from offset `first` on."""
    keys, values = zip(*records, strict=True)
    offsets = pa.array(range(first, first + len(records)), pa.int64())
    partitions = pa.array([0] * len(records), pa.int32())
    columns = [partitions, offsets, offsets, pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
    return pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)


def _fifths(steps: Steps) -> list[float]:
    """Items a second of each fifth of the records; a micro-batch belongs to where it begins."""
    items, spent, done = [0] * 5, [0.0] * 5, 0
    for count, seconds in zip(steps.records, steps.seconds, strict=True):
        fifth = min(4, done * 5 // sum(steps.records))
        items[fifth] += count
        spent[fifth] += seconds
        done += count
    return [n / max(t, 1e-9) for n, t in zip(items, spent, strict=True)]
