"""Which photographs are chosen for what, and the pictures and events that come of them."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.accuracy import pictures
from bench.accuracy.protocol import Sizes, choose, trains_codebook
from bench.attacks import ATTACKS
from shared.errors import SourceError
from tests.bench.photographs import write_photographs

SIZES = Sizes(database=6, positives=2, controls=3)


def number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def touch(root: Path, names: list[str]) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return names


def test_the_order_is_that_of_sha256_and_the_codebooks_half_is_left_out(tmp_path: Path) -> None:
    names = touch(tmp_path, [f"train/{i}.jpg" for i in range(30)] + ["test/a.PNG"])
    (tmp_path / "README.md").touch()
    every = sorted(names, key=lambda name: number(f"order/{name}"))
    found = choose(tmp_path, SIZES, held_out=False)
    assert found.database == tuple(every[:6]) and found.controls == tuple(every[6:9])
    assert found.attacked == found.database[:2]
    odd = [name for name in every if number(name) % 2]
    assert 9 <= len(odd) < 31
    assert [trains_codebook(name) for name in every] == [name not in odd for name in every]
    held = choose(tmp_path, SIZES, held_out=True)
    assert held.database + held.controls == tuple(odd[:9])


def test_every_attack_on_every_photograph_is_a_query_and_comes_after_the_database(tmp_path: Path) -> None:
    touch(tmp_path, [f"{i}.jpg" for i in range(9)])
    found = choose(tmp_path, SIZES, held_out=False)
    assert len(found.queries) == (2 + 3) * 58 == len(set(found.items)) - 6
    assert found.items[:6] == list(found.database)
    asked = {(query.photograph, query.attack): query.original for query in found.queries}
    assert asked.keys() == {(p, a) for p in (*found.attacked, *found.controls) for a in ATTACKS}
    for (photograph, _), original in asked.items():
        assert (found.database[original] if original >= 0 else None) == (
            photograph if photograph in found.attacked else None
        )
    photographs = [query.photograph for query in found.queries]
    assert sum(a == b for a, b in pairwise(photographs)) < 100  # shuffled, not 285


def test_labelled_near_duplicates_are_no_controls_and_no_mistakes(tmp_path: Path) -> None:
    touch(tmp_path, [f"{i}.jpg" for i in range(14)])
    plain = choose(tmp_path, SIZES, held_out=False)
    rows = [
        ("a", "b", "thumb16_corr", "label"),
        (plain.controls[1], plain.database[4], "1.0", "near_dup"),
        (plain.database[0], plain.database[3], "1.0", "near_dup"),
        (plain.controls[0], plain.database[5], "0.9", "different_item"),
    ]
    (tmp_path / "lookalike_pairs.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    found = choose(tmp_path, SIZES, held_out=False)
    assert found.database == plain.database
    assert found.controls[:2] == (plain.controls[0], plain.controls[2]) and len(found.controls) == 3
    for row, query in enumerate(found.queries):
        own = {"0": {0, 3}, "1": {1}}.get(str(query.original), set())
        assert set(np.flatnonzero(found.same_photograph[row])) == own
    assert found.one_photograph(plain.database[3], plain.database[0])
    assert not found.one_photograph(plain.controls[0], plain.database[5])


def test_too_few_photographs_are_said(tmp_path: Path) -> None:
    touch(tmp_path, [f"{i}.jpg" for i in range(8)])
    with pytest.raises(SourceError, match=r"has 8 photographs, 8 of them usable; 6 .* and 3 controls"):
        choose(tmp_path, SIZES, held_out=False)


def test_pictures_are_made_once_and_events_name_them(tmp_path: Path) -> None:
    root, cache = tmp_path / "photographs", tmp_path / "cache"
    write_photographs(root, 6)
    found = choose(root, Sizes(4, 1, 1), held_out=False)
    folder, _ = pictures.make(found, cache)
    files = pictures.paths(found, folder)
    assert {path for path in folder.rglob("*") if path.is_file()} == set(files[4:])
    assert files[:4] == [root / name for name in found.database]
    query = next(query for query in found.queries if query.attack == "scale 1.6" and query.original == 0)
    assert Image.open(folder / query.item).size == (154, 115)

    (folder / query.item).unlink()
    before = {path: path.stat().st_mtime_ns for path in files[5:] if path.exists()}
    again, _ = pictures.make(found, cache)
    assert again == folder and (folder / query.item).exists()
    assert {path: path.stat().st_mtime_ns for path in before} == before

    pictures.write_events(found, files, tmp_path / "events.jsonl")
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["id"] for event in events] == found.items
    assert [event["event_time"] for event in events] == sorted({event["event_time"] for event in events})
    for event, file in zip(events, files, strict=True):
        assert event["op"] == "upsert" and Path(event["payload"]["uri"]) == file.resolve()
        assert event["payload"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()

    (root / found.controls[0]).write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"image_invalid"):
        pictures.make(found, cache)
