"""Real photographs and their variants, through real Kafka, Spark and RocksDB: parity to the digest."""

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from cli.demo_variants import VARIANTS
from tests.acceptance.commands import SHARED_DATA, assert_parity, evaluate, needs_data, through_both
from tests.conftest import Logs

PHOTOS = SHARED_DATA / "photos"
ALL = 1_308
CHANGES = ("resize", "recompress", "brightness", "overlay")
pytestmark = [pytest.mark.spark, pytest.mark.kafka, needs_data("photos")]


@pytest.mark.parametrize("count", [60, pytest.param(ALL, marks=pytest.mark.slow)])
def test_photographs_with_four_variants_each(count: int, kafka_logs: Logs, spark: SparkSession) -> None:
    photographs = sorted(path.relative_to(PHOTOS).as_posix() for path in PHOTOS.rglob("*.jpg"))
    assert len(photographs) == ALL
    chosen = photographs[:: ALL // count][:count]
    images, truth = kafka_logs.folder / "images", kafka_logs.folder / "truth.csv"
    for number, name in enumerate(chosen):
        make_variants(name, images / name.removesuffix(".jpg"), number)
    pairs = write_truth(truth, chosen)

    runs = through_both(kafka_logs, "photos-small", images)
    assert_parity(runs)
    counts = runs.batch.manifest["counts"]
    assert counts["records"] == counts["items"] == 5 * count and counts["dead_letters"] == {}
    assert counts["statuses"].keys() <= {"ok", "no_features"}
    found = evaluate(runs.stream, truth)
    print(count, "photographs,", pairs, "true pairs:", found)
    assert evaluate(runs.batch, truth) == found and found["pairs"] == pairs
    # Measured with 60: 1. With all: edges 0.9586 and 1, clusters 0.9670 and 0.9924, for words match 37 pairs
    # of photographs that show one carpet, floor or print, or one shirt twice; these are labelled as nothing,
    # or as other items, and all their variants come with them.
    for by in ("edges", "clusters"):
        assert found[by]["precision"] >= (0.95 if count == ALL else 0.99) and found[by]["recall"] >= 0.99


def make_variants(name: str, folder: Path, seed: int) -> None:
    """The photograph as it is, and what CHANGES make of it."""
    folder.mkdir(parents=True)
    (folder / "original.jpg").write_bytes((PHOTOS / name).read_bytes())
    with Image.open(PHOTOS / name) as opened:
        image = opened.convert("RGB")
    for order, change in enumerate(CHANGES):
        variant = VARIANTS[change](image, np.random.default_rng([seed, order]))
        variant.save(folder / f"{change}.jpg", quality=90)


def write_truth(path: Path, chosen: list[str]) -> int:
    """All pairs of one photograph's pictures; two photographs labelled as near-duplicates are one."""
    groups = {name: name for name in chosen}
    with (PHOTOS / "lookalike_pairs.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["label"] == "near_dup" and row["a"] in groups and row["b"] in groups:
                groups[row["b"]] = row["a"]
    pictures: dict[str, list[str]] = {}
    for name, group in groups.items():
        files = [f"{name.removesuffix('.jpg')}/{change}.jpg" for change in ("original", *CHANGES)]
        pictures.setdefault(group, []).extend(files)
    pairs = [pair for files in pictures.values() for pair in combinations(files, 2)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(pairs)
    return len(pairs)
