"""Photographs a second: their features on one core, the consumer from Kafka to RocksDB, and the backfill."""

import hashlib
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.backfill import crossfade
from bench.report import Skipped, Table
from shared.run import open_run
from shared.sketch import sketch
from shared.source_events import event_value
from shared.spec import load
from stream import broker
from stream.logs.open import ensure_topic, open_reader, open_writer
from stream.logs.protocol import LogWriter
from stream.logs.settings import KafkaSettings
from stream.microbatch import likely_winners
from stream.running import open_consumer
from stream.stores.memory import MemoryStore

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"
PRESET = "photos-small"
ALONE = 200  # photographs on one core
LONE = 15  # records that come one by one
FIRST_TIME = 1_700_000_000_000
LATER = 1_000_000  # ms: what comes alone comes in order

Record = tuple[bytes, bytes]


@dataclass(frozen=True)
class Consumed:
    """seconds: of all photographs but the first batch. lone_ms: median, from an append to its commit."""

    images: int
    seconds: float
    lone_ms: float

    @property
    def rate(self) -> float:
        return self.images / self.seconds


def run(photos: Path = PHOTOS) -> Table:
    """One preset on all photographs of a folder. Skipped where it is not there."""
    if not photos.is_dir():
        raise Skipped(f"{photos} is not there: photographs are not in the repository")
    files = sorted(photos.rglob("*.jpg"))
    records = [_record(f"photo-{number:06}", number, file) for number, file in enumerate(files)]
    cores = os.cpu_count() or 1
    with TemporaryDirectory(prefix="crossfade-bench-") as name:
        folder = Path(name)
        settings = KafkaSettings(broker.start(folder / "broker").bootstrap_servers)
        try:
            server = ("--bootstrap-servers", settings.bootstrap_servers)
            ensure_topic("items", settings, partitions=2, append_time=True)
            writer = open_writer("items", settings)
            writer.append("items", records)
            crossfade("archive", "--topic", "items", "--lake", folder / "lake", *server)
            alone = _alone(settings)
            consumed = {
                workers: _consume(folder / f"state-{workers}", settings, writer, files, workers)
                for workers in dict.fromkeys((1, cores))
            }
            writer.close()
        finally:
            broker.stop(folder / "broker")
        lake, output = folder / "lake", folder / "run"
        whole = crossfade("backfill", "--spec", PRESET, "--input", lake, "--output", output)
        features = open_run(output).manifest["seconds"]["features"]
    count = len(files)
    rates = [
        ("features (read, decoded, sketched), one core", alone),
        *((f"consumer, {_workers(workers)}", found.rate) for workers, found in consumed.items()),
        (f"backfill, stage features, {cores} cores", count / features),
        ("backfill, whole", count / whole),
    ]
    lone = ", ".join(
        f"{found.lone_ms:.0f} ms with {_workers(workers)}" for workers, found in consumed.items()
    )
    return Table(
        "Photographs a second",
        ["", "photographs/s"],
        [[name, f"{rate:,.1f}"] for name, rate in rates],
        [
            f"{count:,} photographs of ../shared/data, preset `{PRESET}`. The features alone are in "
            "processor time. The consumer reads from Kafka on the same machine and writes to RocksDB, "
            "timed from the end of its first micro-batch on.",
            f"A record that comes alone is answered (committed) in {lone}: median of {LONE}.",
        ],
        dict(rates)
        | {f"lone, ms, {_workers(workers)}": found.lone_ms for workers, found in consumed.items()},
    )


def _workers(count: int) -> str:
    return "1 process" if count == 1 else f"{count} workers"


def _record(item: str, number: int, file: Path) -> Record:
    payload = {"uri": str(file.resolve()), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return item.encode(), event_value(item, "upsert", FIRST_TIME + number, payload)


def _alone(settings: KafkaSettings) -> float:
    """Photographs a second of processor time."""
    reader, spec = open_reader("items", settings), load(PRESET)
    events = likely_winners(spec, MemoryStore(), reader.poll(ALONE, 10.0))
    reader.close()
    sketch(spec, events.slice(0, 10))  # compiles, or loads what was compiled
    started = time.process_time()
    sketch(spec, events)
    return float(events.num_rows / (time.process_time() - started))


def _consume(
    state: Path, settings: KafkaSettings, writer: LogWriter, files: list[Path], workers: int
) -> Consumed:
    """All that the topic holds now, then some of the files alone."""
    spec, output = load(PRESET), f"clusters-{workers}"
    with open_consumer(spec, "items", state, output, settings, workers=workers) as consumer:
        consumer.recover()
        while consumer.step() is None:
            pass
        done, started = 0, time.perf_counter()
        while consumer.positions != consumer.reader.end_offsets():
            outcome = consumer.step()
            done += outcome.counts["records"] if outcome else 0
        seconds = time.perf_counter() - started
        lone = []
        for number, file in enumerate(files[:LONE]):
            writer.append("items", [_record(f"lone-{workers}-{number}", LATER + number, file)])
            started = time.perf_counter()
            while consumer.step() is None:
                pass
            lone.append(time.perf_counter() - started)
    return Consumed(done, seconds, 1000 * statistics.median(lone))
