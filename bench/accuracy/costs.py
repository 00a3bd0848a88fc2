"""What a picture costs: bytes that both engines store of it, and milliseconds of one core to extract them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from bench.accuracy.pictures import read
from shared import minhash
from shared.run import Run
from shared.spec import Channel, Spec

_SAMPLE = 200  # pictures, evenly spaced
_AT_ONCE = 16


@dataclass(frozen=True)
class Costs:
    """By part, a picture: bytes `pdq signature`, `pdq record`, …; milliseconds `decode`, `pdq`, …"""

    bytes: dict[str, float]
    milliseconds: dict[str, float]

    @property
    def all_bytes(self) -> float:
        return sum(self.bytes.values())

    @property
    def all_milliseconds(self) -> float:
        return sum(self.milliseconds.values())


def costs(spec: Spec, run: Run, files: list[Path]) -> Costs:
    """Bytes of the run, over all of its items; processor time over a sample of the files."""
    sizes: dict[str, float] = {}
    for stage, column in (("signatures", "signature"), ("verification", "record")):
        table = run.read(stage, columns=["channel", column])
        for channel in spec.channels:
            values = table.filter(pc.equal(table.column("channel"), channel.name)).column(column)
            total = pc.sum(pc.binary_length(values)).as_py() or 0
            sizes[f"{channel.name} {column}"] = total / run.rows("items")
    return Costs(sizes, _milliseconds(spec, files[:: max(1, len(files) // _SAMPLE)]))


def _milliseconds(spec: Spec, files: list[Path]) -> dict[str, float]:
    """Of processor time, all threads counted, so that other programs on the machine disturb little."""
    warm = [read(file) for file in files[:_AT_ONCE]]
    for channel in spec.channels:
        _features(channel, warm)
    spent = dict.fromkeys(["decode", *(channel.name for channel in spec.channels)], 0.0)
    for start in range(0, len(files), _AT_ONCE):
        with _timed(spent, "decode"):
            pictures = [read(file) for file in files[start : start + _AT_ONCE]]
        for channel in spec.channels:
            with _timed(spent, channel.name):
                _features(channel, pictures)
    return {name: 1000 * seconds / len(files) for name, seconds in spent.items()}


@contextmanager
def _timed(spent: dict[str, float], name: str) -> Iterator[None]:
    started = time.process_time()
    yield
    spent[name] += time.process_time() - started


def _features(channel: Channel, pictures: list[Any]) -> None:
    """Tokens, records and signatures, as `shared.sketch` makes them."""
    found = channel.extractor.extract(pictures)
    minhash.signatures(found.tokens, found.offsets, channel.minhash.permutations, channel.minhash.seed)
