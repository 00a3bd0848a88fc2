"""Are copies still found when a stream has grown long? Recall of a consumer, by tenths of 50,000 pictures.

Draws bound what an item is compared with, whatever a bucket holds: the longer the stream, the smaller the
share of a bucket that is drawn. Half an hour, most of it features; not among those that run by default.
"""

import hashlib
import io
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from bench.accuracy.pictures import FIRST_TIME, pooled, read
from bench.attacks import ATTACKS, generator
from bench.backfill import crossfade
from bench.images import PHOTOS, PRESET
from bench.report import Skipped, Table
from shared.run import Run, open_run
from shared.source_events import event_value

PICTURES = 50_000
# Pixels, before an attack: 50,000 pictures are made in minutes. A crop has less left than in accuracy.md.
SIDE = 320
TENTHS = 10
_QUALITY = 90


@dataclass(frozen=True)
class Shown:
    """One picture of the stream: a photograph as it is (attack ""), or attacked."""

    photograph: str
    attack: str

    @property
    def item(self) -> str:
        return f"{self.photograph}/{self.attack.replace(' ', '-') or 'original'}"


def stream(photographs: list[str], count: int) -> list[Shown]:
    """`count` pictures in the order of the stream: each photograph, and attacked pictures of it later on, of
    each photograph the same number or one less."""
    times: list[tuple[float, Shown]] = []
    for order, name in enumerate(photographs[:count]):
        rng = generator(name, "growth")
        variants = (count - 1 - order) // len(photographs)
        chosen = rng.permutation(list(ATTACKS))[:variants]
        first = rng.uniform()
        times.append((first, Shown(name, "")))
        times += [(rng.uniform(first, 1), Shown(name, str(attack))) for attack in chosen]
    return [shown for _, shown in sorted(times, key=lambda each: (each[0], each[1].item))]


def run(photos: Path = PHOTOS, count: int = PICTURES) -> Table:
    """One preset on attacked pictures of all photographs of a folder. Skipped where it is not there."""
    if not photos.is_dir():
        raise Skipped(f"{photos} is not there: photographs are not in the repository")
    shown = stream(sorted(str(file.relative_to(photos)) for file in photos.rglob("*.jpg")), count)
    with TemporaryDirectory(prefix="crossfade-bench-") as name:
        folder = Path(name)
        _write(photos, folder, shown)
        topic, state, output = f"file:{folder / 'items'}", folder / "state", folder / "run"
        crossfade("publish", folder / "events.jsonl", "--topic", topic)
        clusters = ("--output", f"file:{folder / 'clusters'}")
        started = time.perf_counter()
        crossfade("consume", "--spec", PRESET, "--topic", topic, "--state", state, *clusters, "--until-end")
        seconds = time.perf_counter() - started
        crossfade("export", "--state", state, "--output", output)
        return _table(shown, *found(shown, open_run(output)), seconds)


def found(shown: list[Shown], done: Run) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """bool[pictures] twice: has an edge to its photograph or is in its cluster; has such an edge."""
    items = pa.array([each.item for each in shown], pa.string())
    originals = pa.array([Shown(each.photograph, "").item for each in shown], pa.string())
    clusters, edges = done.read("clusters"), done.read("edges")
    head = clusters.column("head").combine_chunks()
    ids = clusters.column("id").combine_chunks()
    heads = [head.take(pc.index_in(names, value_set=ids)) for names in (items, originals)]
    pairs = pc.binary_join_element_wise(edges.column("later"), edges.column("earlier"), "\n")
    direct = pc.is_in(pc.binary_join_element_wise(items, originals, "\n"), value_set=pairs.combine_chunks())
    together = pc.fill_null(pc.equal(*heads), False)
    edge, both = (np.asarray(a.to_numpy(zero_copy_only=False)) for a in (direct, pc.or_(together, direct)))
    return both, edge


def _write(photos: Path, folder: Path, shown: list[Shown]) -> None:
    """The pictures, and events.jsonl with one event a second."""
    by_photograph: dict[str, list[Shown]] = {}
    for each in shown:
        by_photograph.setdefault(each.photograph, []).append(each)
    digests: dict[str, str] = {}
    for part in pooled(partial(_pictures, photos, folder), list(by_photograph.items()), "attacking"):
        digests |= part
    with (folder / "events.jsonl").open("wb") as file:
        for number, each in enumerate(shown):
            payload = {"uri": str(folder / f"{each.item}.jpg"), "sha256": digests[each.item]}
            file.write(event_value(each.item, "upsert", FIRST_TIME + 1000 * number, payload) + b"\n")


def _pictures(photos: Path, folder: Path, work: tuple[str, list[Shown]]) -> dict[str, str]:
    """{item: sha256} of the pictures of one photograph, written."""
    photograph, shown = work
    image = Image.fromarray(read(photos / photograph))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    digests = {}
    for each in shown:
        buffer = io.BytesIO()
        if each.attack:
            attack = ATTACKS[each.attack]
            attack.change(image, generator(photograph, each.attack)).save(buffer, "JPEG", quality=_QUALITY)
        else:
            image.save(buffer, "JPEG", quality=_QUALITY)
        path = folder / f"{each.item}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
        digests[each.item] = hashlib.sha256(buffer.getvalue()).hexdigest()
    return digests


def _table(
    shown: list[Shown], hit: npt.NDArray[np.bool_], direct: npt.NDArray[np.bool_], seconds: float
) -> Table:
    attacked = np.array([bool(each.attack) for each in shown])
    tenths = np.array_split(np.arange(len(shown)), TENTHS)
    recalls = [[float(which[rows][attacked[rows]].mean()) for rows in tenths] for which in (hit, direct)]
    names = [f"{rows[0] + 1:,} to {rows[-1] + 1:,}" for rows in tenths]
    counts = [int(attacked[rows].sum()) for rows in tenths]
    return Table(
        "Recall along a stream",
        ["pictures", "attacked", "recall", "by edge"],
        [
            [name, f"{count:,}", f"{recall:.4f}", f"{edge:.4f}"]
            for name, count, recall, edge in zip(names, counts, *recalls, strict=True)
        ],
        [
            f"{len(shown):,} pictures, preset `{PRESET}`: {len(shown) - attacked.sum():,} photographs of "
            f"{SIDE} pixels and attacked pictures of them, in the order of their times. A picture is found "
            "if it has an edge to its photograph (by edge) or is in its cluster, where copies bring each "
            "other in. Half of the photographs trained the codebook. The pictures are smaller than those of "
            "accuracy.md before they are attacked.",
            f"The consumer read them, from a file log to RocksDB, at {len(shown) / seconds:,.1f} pictures a "
            f"second on {os.cpu_count()} cores, its start included.",
        ],
        {"recall": dict(zip(names, recalls[0], strict=True)), "pictures_a_second": len(shown) / seconds},
    )
