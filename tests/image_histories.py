"""Random histories of pictures: few scenes in many versions, and files that cannot be used."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.histories import CHANNEL, DELTAS_MS, SPEC, START_MS, History, encode, make_spec, random_genes
from tests.images import Pixels, blurred, brighter, resized, scene
from tests.images import encode as encode_picture

Payload = dict[str, Any]
LIMITS = {"payload_bytes": 120_000, "image_pixels": 100_000}
SCENES = 12
LOCAL_RULES: tuple[dict[str, Any], ...] = (
    {"rule": "inliers", "min_inliers": 8},
    {"rule": "inliers", "min_inliers": 4, "min_agreeing_bands": 2},
    {"rule": "inliers", "min_inliers": 14, "min_agreeing_bands": 1},
    {"rule": "jaccard", "threshold": "0.1"},
    {"rule": "agreement", "threshold": "0.2"},
)


def textured(seed: int) -> Pixels:
    """uint8[150, 200, 3]: a scene with enough corners for local features at 160 pixels."""
    pixels = scene(seed, 200, 150)
    rng = np.random.default_rng([seed, 1])
    for _ in range(60):
        top, left = rng.integers(0, 140), rng.integers(0, 185)
        height, width = rng.integers(4, 16, 2)
        pixels[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return pixels


def captioned(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).text(
        (20, 60), "a caption", "white", ImageFont.load_default(24), stroke_width=2, stroke_fill=0
    )
    return np.array(image)


def turned(pixels: Pixels) -> Pixels:
    return np.array(Image.fromarray(pixels).rotate(20, Image.Resampling.BICUBIC))


VERSIONS = (
    lambda pixels: pixels,
    brighter,
    lambda pixels: blurred(pixels, 0.7),
    lambda pixels: resized(pixels, 1.4),
    lambda pixels: pixels[30:, 50:],
    turned,
    captioned,
    lambda pixels: pixels[:, ::-1],
    lambda pixels: pixels[30:140, 180:10:-1],  # cropped, and its mirror image
)


def write_pictures(folder: Path) -> list[list[Payload]]:
    """Payloads by URI: those of each scene, of pictures without features, and of what is no picture."""
    payloads = []
    for seed in range(SCENES):
        pictures = [np.ascontiguousarray(version(textured(seed))) for version in VERSIONS]
        payloads.append(
            [_write(folder, f"{seed}-{v}.png", encode_picture(p)) for v, p in enumerate(pictures)]
        )
    plain = [np.full((90, 120, 3), 90, np.uint8), textured(1)[:60, :90], textured(2)[:5, :90]]
    payloads.append([_write(folder, f"plain-{i}.png", encode_picture(p)) for i, p in enumerate(plain)])
    good = encode_picture(textured(0))
    noise = np.random.default_rng(1).integers(0, 256, (210, 210, 3), dtype=np.uint8)
    unusable = [
        _write(folder, "broken.png", good[:-400]),
        _write(folder, "no picture", b"text"),
        _write(folder, "too many pixels.png", encode_picture(np.zeros((400, 251, 3), np.uint8))),
        _write(folder, "too many bytes.png", encode_picture(noise)),
        _write(folder, "gone.png", good) | {"uri": f"file://{folder}/nowhere.png"},
        _write(folder, "changed.png", good) | {"sha256": "ab" * 32},
    ]
    payloads.append([*unusable, {"text": "no picture"}, {"uri": "file:///x"}])
    return payloads


def _write(folder: Path, name: str, data: bytes) -> Payload:
    (folder / name).write_bytes(data)
    return {"uri": f"file://{folder / name}", "sha256": hashlib.sha256(data).hexdigest()}


def image_spec(seed: int) -> dict[str, Any]:
    """One to three channels of pictures; time limits and the rule of clusters as in histories of texts."""
    rng = random.Random(f"spec {seed}")
    genes = random_genes(rng, SPEC) | {"times": rng.randint(0, 3)}  # few events: none may expire
    spec = make_spec(genes, [random_genes(rng, CHANNEL) for _ in range(3)])
    kinds = (("pdq", "words"), ("pdq", "pairs"), ("words", "pairs"), ("pdq", "words", "pairs"))
    mirror = rng.random() < 0.5
    spec["channels"] = [_channel(rng, kind, mirror, seed) for kind in kinds[seed % len(kinds)]]
    return spec | {"limits": LIMITS}


def _channel(rng: random.Random, kind: str, mirror: bool, seed: int) -> dict[str, Any]:
    draws = {"first": rng.randint(0, 4), "near": rng.randint(0, 4)}
    if kind == "pdq":
        match: dict[str, Any] = {"rule": "hamming", "max_distance": rng.choice([10, 31, 50])}
        extractor, parameters, bands = "image.pdq", {"min_quality": 20}, {"count": 16, "rows": 6}
    else:
        extractor = {"words": "image.words", "pairs": "image.word_pairs"}[kind]
        parameters = {"codebook": "photos-1", "side": 160, "count": 80, "min_count": 8, "mirror": mirror}
        if kind == "pairs":
            parameters["neighbours"] = rng.randint(1, 4)
        bands = {"count": rng.choice([16, 48]), "rows": 1}
        match = (LOCAL_RULES if kind == "pairs" else LOCAL_RULES[:3])[seed % (5 if kind == "pairs" else 3)]
    minhash = {"permutations": bands["count"] * bands["rows"], "seed": 1}
    return {
        "name": kind,
        "extractor": extractor,
        "parameters": parameters,
        "minhash": minhash,
        "bands": bands,
        "draws": draws,
        "match": match,
    }


def image_history(seed: int, payloads: Sequence[Sequence[Payload]], length: int = 60) -> History:
    """The history of a seed over these pictures: late, repeated, edited and deleted events among others."""
    rng = random.Random(f"history {seed}")
    scenes = rng.sample(range(SCENES), 3)
    groups, weights = [*scenes, SCENES, SCENES + 1], (8, 8, 4, 2, 5)
    ids = [f"{n}.png" for n in range(rng.randint(16, 32))]
    events: list[dict[str, Any]] = []
    records, next_offset, clock = [], [0, 0], START_MS
    for _ in range(length):
        clock += rng.randint(0, 4)
        event: dict[str, Any] = {
            "id": rng.choice(ids),
            "op": "upsert",
            "event_time": clock + rng.choice(DELTAS_MS),
        }
        chance = rng.random()
        if chance < 0.1:
            event["op"] = "delete"
        elif chance < 0.2 and events:
            event = dict(rng.choice(events))  # the same event once more
        else:
            event["payload"] = rng.choice(payloads[rng.choices(groups, weights)[0]])
            if chance < 0.28 and events:
                event |= {key: rng.choice(events)[key] for key in ("id", "event_time")}
        events.append(event)
        partition = rng.randrange(2)
        value = None if chance > 0.98 else encode(event, 0)
        records.append((partition, next_offset[partition], clock, value))
        next_offset[partition] += 1
    return History(image_spec(seed), tuple(records))
