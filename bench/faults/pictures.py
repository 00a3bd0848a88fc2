"""A small log of photographs in which PDQ, visual words and every status decide something.

Photographs of scikit-image's wheel and tiles of some, each with what the demo does to it; files that are no
pictures, too large, gone or not what the event says.
"""

import hashlib
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.faults.log import Log, Scenario
from cli.demo_images import distinct_originals
from cli.demo_variants import VARIANTS
from shared.spec import from_dict

ORIGINALS = 12
SIDE = 192  # pixels, the longest of an original
CHANGES = ("resize", "noise", "overlay", "captioned", "crop", "turned", "sheared")
LIMITS = {"payload_bytes": 200_000, "image_pixels": 240 * 250}

SPEC: dict[str, Any] = {
    "name": "faults-in-pictures",
    "times": {"max_skew_ms": 2_000, "max_lateness_ms": 30_000},
    "limits": LIMITS,
    "channels": [
        {
            "name": "pdq",
            "extractor": "image.pdq",
            "parameters": {"min_quality": 20},
            "minhash": {"permutations": 48, "seed": 1},
            "bands": {"count": 8, "rows": 6},
            "draws": {"first": 1, "near": 2},
            "match": {"rule": "hamming", "max_distance": 28},
        },
        {
            "name": "words",
            "extractor": "image.words",
            "parameters": {
                "side": 160,
                "count": 120,
                "min_count": 10,
                "mirror": True,
            },
            "minhash": {"permutations": 48, "seed": 1},
            "bands": {"count": 48, "rows": 1},
            "draws": {"first": 1, "near": 1},
            "match": {"rule": "inliers", "min_inliers": 8, "min_agreeing_bands": 2},
        },
    ],
}


def pictures(folder: Path, rule: str = "heads") -> Scenario:
    """Writes the files that the events name into `folder`. rule: of clusters."""
    folder.mkdir(parents=True)
    rng = random.Random(11)
    log = Log(rng, [])
    items: dict[str, Any] = {}
    originals = [picture for _, picture in distinct_originals()[: ORIGINALS + 1]]
    for original in originals:
        original.thumbnail((SIDE, SIDE))
    for base, original in enumerate(originals[:-1]):
        copies = [original, original.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
        for order, change in enumerate(CHANGES):
            copies.append(VARIANTS[change](original, np.random.default_rng([base, order])))
        for copy, picture in enumerate(copies):
            item = f"{chr(97 + copy)}{base:02d}"
            items[item] = _write(folder, f"{item}.png", _encoded(picture))
            log.first_event(item, items[item], copy)
    log.changes(items, edits=14, deletes=9, ties=5, repeats=4)
    for n, payload in enumerate(_odd(folder, originals[-1])):
        log.event(f"odd {n}", payload, log.now)
    for value in (None, b"[]", b'{"id": "", "op": "delete", "event_time": 1}'):
        log.append(value)
    log.event("an id of more than thirty-two bytes, which is none too many", items["a00"], log.now)
    for base in range(3):  # the first of their kind, when nothing comes after it
        log.event(f"f{base:02d}", None, log.now)
    return Scenario(from_dict(SPEC | {"clusters": {"rule": rule}}), log.table())


def _odd(folder: Path, photograph: Image.Image) -> list[dict[str, str]]:
    grey = Image.new("RGB", (90, 120), (90, 90, 90))
    noise = np.random.default_rng(1).integers(0, 256, (259, 259, 3), dtype=np.uint8)
    turned = Image.Exif()
    turned[274] = 6  # the orientation: shown turned by a right angle
    whole = _encoded(photograph)
    return [
        _write(folder, "grey.png", _encoded(grey)),
        _write(folder, "grey too.png", _encoded(grey.resize((80, 80)))),
        _write(folder, "as many pixels as may be.png", _encoded(grey.resize((240, 250)))),
        _write(folder, "one row more.png", _encoded(grey.resize((240, 251)))),
        _write(folder, "too many bytes.png", _encoded(Image.fromarray(noise))),
        _write(folder, "turned.png", _encoded(photograph, exif=turned)),
        _write(folder, "whole.png", whole),
        _write(folder, "broken.png", whole[:-400]),
        _write(folder, "no picture", b"text"),
        _write(folder, "changed.png", whole) | {"sha256": "ab" * 32},
        _write(folder, "gone.png", whole) | {"uri": f"file://{folder}/nowhere.png"},
    ]


def _encoded(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def _write(folder: Path, name: str, data: bytes) -> dict[str, str]:
    (folder / name).write_bytes(data)
    return {"uri": f"file://{folder / name}", "sha256": hashlib.sha256(data).hexdigest()}
