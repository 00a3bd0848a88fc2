"""Items a second of the consumer, from a Kafka broker of its own into RocksDB; and without the log."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from bench import corpus
from bench.report import Table
from shared.records import RECORD_SCHEMA
from shared.spec import load
from stream import broker
from stream.logs.open import ensure_topic, open_writer
from stream.logs.settings import KafkaSettings
from stream.microbatch import apply
from stream.running import open_consumer
from stream.stores import open_store
from stream.stores.memory import MemoryStore

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
    rows = [
        ["whole", *(f"{items / sum(seconds):,.0f}" for _, seconds in (through, alone))],
        *(
            [name, f"{a:,.0f}", f"{b:,.0f}"]
            for name, a, b in zip(FIFTHS, _fifths(*through), _fifths(*alone), strict=True)
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
            "kafka": {"seconds": sum(through[1]), "fifths": _fifths(*through)},
            "alone": {"seconds": sum(alone[1]), "fifths": _fifths(*alone)},
            "state_bytes": int(megabytes * 1e6),
        },
    )


Steps = tuple[list[int], list[float]]  # records and seconds of each micro-batch


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
        counts: list[int] = []
        seconds: list[float] = []
        with open_consumer(load("text"), "items", folder / "state", "clusters", settings, BATCH) as consumer:
            consumer.recover()
            while sum(counts) < items:
                started = time.perf_counter()
                outcome = consumer.step()
                seconds.append(time.perf_counter() - started)
                counts.append(outcome.counts["records"] if outcome else 0)
        return counts, seconds
    finally:
        broker.stop(folder / "broker")


def _alone(folder: Path, items: int) -> Steps:
    spec, store = load("text"), open_store(folder / "alone")
    counts: list[int] = []
    seconds: list[float] = []
    for chunk in corpus.chunks(items, BATCH):
        records = _table(chunk, sum(counts))
        started = time.perf_counter()
        store.write(apply(spec, store, records, {0: sum(counts) + len(chunk)}).state.changes)
        seconds.append(time.perf_counter() - started)
        counts.append(len(chunk))
    store.close()
    return counts, seconds


def _table(records: list[tuple[bytes, bytes]], first: int) -> pa.Table:
    """RECORD_SCHEMA of one partition, from offset `first` on."""
    keys, values = zip(*records, strict=True)
    offsets = pa.array(range(first, first + len(records)), pa.int64())
    partitions = pa.array([0] * len(records), pa.int32())
    columns = [partitions, offsets, offsets, pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
    return pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)


def _fifths(counts: list[int], seconds: list[float]) -> list[float]:
    """Items a second of each fifth of the records; a micro-batch belongs to where it begins."""
    items, time_spent, done = [0] * 5, [0.0] * 5, 0
    for count, spent in zip(counts, seconds, strict=True):
        fifth = min(4, done * 5 // sum(counts))
        items[fifth] += count
        time_spent[fifth] += spent
        done += count
    return [n / max(t, 1e-9) for n, t in zip(items, time_spent, strict=True)]
