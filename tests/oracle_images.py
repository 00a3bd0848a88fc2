"""The oracle's pictures: what docs/semantics.md says of them, in plain Python without a line of shared/.

Pillow decodes and scales, OpenCV finds keypoints, pdqhash hashes, numpy sums the squares of distances.
"""

import hashlib
import io
import math
import os
import struct
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pdqhash
import xxhash
from PIL import Image

os.environ |= {"OPENCV_IPP": "disabled", "OPENCV_CPU_DISABLE": "AVX512-SKX"}
import cv2

Tokens = frozenset[int]
CODEBOOKS = Path(__file__).parents[1] / "shared" / "codebooks"


class Feature(NamedTuple):
    """A local feature; tuples are in the order of a record's numbers."""

    word: int
    x: int
    y: int
    size: int
    angle: int


class LocalRecord(NamedTuple):
    """A picture's features in ascending order, and those of its mirror image."""

    plain: tuple[Feature, ...]
    flipped: tuple[Feature, ...]

    def numbers(self) -> list[int]:
        return [2**32 + len(self.plain), *map(number, self.plain + self.flipped)]


def number(feature: Feature) -> int:
    """A feature as one number of a record."""
    word, x, y, size, angle = feature
    return word * 2**42 + x * 2**30 + y * 2**18 + size * 2**10 + angle


# --- Payloads


def load(uri: bytes, sha256: str, limits: dict[str, int]) -> str | bytes:
    """The bytes of a picture by the URI of a local file, or the status that says why there are none."""
    path = Path(uri.decode().removeprefix("file://"))
    if not path.is_file():
        return "uri_not_found"
    data = path.read_bytes()
    if len(data) > limits.get("payload_bytes", 32 * 2**20):
        return "payload_too_large"
    if hashlib.sha256(data).hexdigest() != sha256:
        return "payload_changed"
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > limits.get("image_pixels", 100_000_000):
                return "image_too_large"
            image.load()
    except OSError:
        return "image_invalid"
    return data


def extract(channel: dict[str, Any], data: bytes) -> tuple[Tokens, Any]:
    """A picture's token set in a channel and what its rule compares: bits, a LocalRecord, or tokens again."""
    tokens, evidence = _extract(channel["extractor"], tuple(sorted(channel["parameters"].items())), data)
    if not tokens:
        return tokens, None
    return tokens, tokens if channel["match"]["rule"] in ("jaccard", "agreement") else evidence


@lru_cache(maxsize=4096)
def _extract(extractor: str, parameters: tuple[tuple[str, Any], ...], data: bytes) -> tuple[Tokens, Any]:
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGB")
    if extractor == "image.pdq":
        return pdq(dict(parameters), picture)
    if extractor in ("image.words", "image.word_pairs"):
        return local(extractor, dict(parameters), picture)
    raise NotImplementedError(f"extractor {extractor}")


# --- Extractors


def pdq(parameters: dict[str, Any], picture: Image.Image) -> tuple[Tokens, tuple[int, ...]]:
    """The tokens of a picture's 256 bits, and the bits."""
    if min(picture.size) < 8:
        return frozenset(), ()
    vector, quality = pdqhash.compute(np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR)))
    if quality < parameters.get("min_quality", 20):
        return frozenset(), ()
    bits = tuple(int(bit) for bit in vector)
    return frozenset(token(struct.pack("<HB", i, bit)) for i, bit in enumerate(bits)), bits


def local(
    extractor: str, parameters: dict[str, Any], picture: Image.Image
) -> tuple[Tokens, LocalRecord | None]:
    """The tokens of a picture's visual words, or of their pairs, and its features."""
    given = {"codebook": "photos-1", "side": 288, "count": 400, "min_side": 64, "min_count": 20}
    given |= {"mirror": False, "neighbours": 4} | parameters
    nothing: tuple[Tokens, None] = frozenset(), None
    if min(picture.size) < given["min_side"]:
        return nothing
    width, height = (scaled(length, max(picture.size), given["side"]) for length in picture.size)
    grey = picture.convert("L").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    found = detect(np.asarray(grey), given["count"])
    if len(found) < given["min_count"]:
        return nothing
    sides = [found]
    if given["mirror"]:
        sides.append([flip(place, descriptor, 8 * width) for place, descriptor in found])
    tokens: set[int] = set()
    parts: list[tuple[Feature, ...]] = []
    for side in sides:
        features = [Feature(word_of(given["codebook"], descriptor), *place) for place, descriptor in side]
        if extractor == "image.words":
            of_words = [(feature.word,) for feature in features]
        else:
            of_words = list(pairs(features, given["neighbours"]))
        stopped = read_codebook(given["codebook"])[1]
        tokens |= {token(struct.pack(f"<{len(w)}I", *w)) for w in of_words if stopped.isdisjoint(w)}
        parts.append(tuple(sorted(features)))
    return frozenset(tokens), LocalRecord(parts[0], parts[1] if given["mirror"] else ())


def token(name: bytes) -> int:
    return xxhash.xxh64(name, seed=42).intdigest()


def scaled(length: int, longest: int, side: int) -> int:
    """A side's pixels once the longest is `side`, rounded half up."""
    return max(1, (2 * length * side + longest) // (2 * longest))


Place = tuple[int, int, int, int]  # x, y, size, angle
Descriptor = tuple[int, ...]


def detect(grey: Any, count: int) -> list[tuple[Place, Descriptor]]:
    """The first `count` features of a grey picture by response x diameter."""
    cv2.setNumThreads(1)
    detector = cv2.SIFT_create(nfeatures=round(count * 1.2), contrastThreshold=0.02)
    keypoints, descriptors = detector.detectAndCompute(grey, None)
    rows = []
    for i, keypoint in enumerate(keypoints):
        x, y = (min(4095, max(0, round(8 * position))) for position in keypoint.pt)
        size = sum(1 for step in SIZES if step < keypoint.size)
        angle = round(keypoint.angle * 1024 / 360) % 1024
        rows.append((-keypoint.response * keypoint.size, x, y, size, angle, i))
    return [((x, y, size, angle), root(descriptors[i])) for _, x, y, size, angle, i in sorted(rows)[:count]]


SIZES = [round(2 ** ((i + 0.5) / 16) * 1024) / 1024 for i in range(255)]


def root(values: Any) -> Descriptor:
    """RootSIFT, times 512, of OpenCV's 128 whole numbers."""
    numbers = [float(value) for value in values]
    total = max(1.0, sum(numbers))
    return tuple(min(255, round(math.sqrt(v / total) * 512)) for v in numbers)


def flip(place: Place, descriptor: Descriptor, width: int) -> tuple[Place, Descriptor]:
    """A feature of the picture flipped left to right; width in eighths of a pixel."""
    x, y, size, angle = place
    flipped = (
        descriptor[32 * (3 - row) + 8 * column + (8 - direction) % 8]
        for row in range(4)
        for column in range(4)
        for direction in range(8)
    )
    return (min(4095, max(0, width - x)), y, size, (512 - angle) % 1024), tuple(flipped)


@lru_cache(maxsize=100_000)
def word_of(codebook: str, descriptor: Descriptor) -> int:
    """The numbers of the nearest centroid to either half, as one."""
    numbers = []
    for half, centroids in zip((descriptor[:64], descriptor[64:]), read_codebook(codebook)[0], strict=True):
        distances = ((centroids - np.array(half)) ** 2).sum(axis=1).tolist()
        numbers.append(distances.index(min(distances)))
    return numbers[0] * 1024 + numbers[1]


@lru_cache(maxsize=8)
def read_codebook(name: str) -> tuple[Any, frozenset[int]]:
    """int64[2, 1024, 64], and the words that are no tokens."""
    shipped = CODEBOOKS / f"{name}.npy"
    with (shipped if shipped.exists() else Path(name)).open("rb") as file:
        centroids, stopped = np.load(file), np.load(file)
    return centroids.astype(np.int64), frozenset(stopped.tolist())


def pairs(features: list[Feature], neighbours: int) -> Iterable[tuple[int, int]]:
    """The words of each feature and its nearest neighbours of similar size that are not too near."""
    for one in features:
        near = []
        for order, other in enumerate(features):
            distance = (one.x - other.x) ** 2 + (one.y - other.y) ** 2
            if distance >= 16**2 and abs(one.size - other.size) <= 8:
                near.append((distance, order))
        for _, order in sorted(near)[:neighbours]:
            words = one.word, features[order].word
            yield min(words), max(words)


# --- Inliers


@lru_cache(maxsize=4096)
def inliers(p: LocalRecord, q: LocalRecord) -> int:
    """Features that one affine map carries from the lesser record (or its mirror image) to the other."""
    a, b = sorted((p, q), key=LocalRecord.numbers)
    plain = inliers_of(a.plain, b.plain)
    return max(plain, inliers_of(a.flipped, b.plain)) if a.flipped else plain


def inliers_of(a: tuple[Feature, ...], b: tuple[Feature, ...]) -> int:
    matched = correspondences(a, b)
    if len(matched) < 4:
        return 0
    chosen = vote(a, b, matched)
    for tolerance in (88, 48, 48):
        affine = fit([(a[i], b[j]) for i, j in chosen])
        if affine is None:
            return 0
        chosen = []
        for i, j in matched:
            taken = any(i == k or j == m for k, m in chosen)
            if not taken and all(abs(e) <= tolerance for e in errors(affine, a[i], b[j])):
                chosen.append((i, j))
    assert affine is not None
    spread = is_spread([a[i] for i, _ in chosen]) and is_spread([b[j] for _, j in chosen])
    return len(chosen) if spread and 20 * len(chosen) >= in_both(a, b, affine) else 0


def is_spread(features: list[Feature]) -> bool:
    """Whether their places vary by 64 steps or more (standard deviation) in the direction of the least."""
    if not features:
        return True
    means = [
        total([float(place) for place in axis]) / len(features)
        for axis in ([f.x for f in features], [f.y for f in features])
    ]
    x, y = [f.x - means[0] for f in features], [f.y - means[1] for f in features]
    least = 4096.0 * len(features)
    xx, yy, xy = dot(x, x), dot(y, y), dot(x, y)
    return xx >= least and yy >= least and (xx - least) * (yy - least) >= xy * xy


def in_both(a: tuple[Feature, ...], b: tuple[Feature, ...], affine: "Affine") -> int:
    """The features of a that lie in b's picture, or those of b that lie in a's, whichever are fewer."""
    (p, q), (r, s), (x, y, u, v) = affine.to_u, affine.to_v, affine.means
    d = p * s - q * r
    back = Affine((u, v, x, y), (s / d, -q / d), (-r / d, p / d))
    return min(carried(a, b, affine), carried(b, a, back))


def carried(a: tuple[Feature, ...], b: tuple[Feature, ...], affine: "Affine") -> int:
    """How many of a the map carries to between 0 and the furthest feature of b, along both axes."""
    count, width, height = 0, max(g.x for g in b), max(g.y for g in b)
    for f in a:
        x, y = f.x - affine.means[0], f.y - affine.means[1]
        u = affine.to_u[0] * x + affine.to_u[1] * y + affine.means[2]
        v = affine.to_v[0] * x + affine.to_v[1] * y + affine.means[3]
        count += 0 <= u <= width and 0 <= v <= height
    return count


Match = tuple[int, int]  # a feature of a, a feature of b


def correspondences(a: tuple[Feature, ...], b: tuple[Feature, ...]) -> list[Match]:
    """Pairs of features that have one word, without words that are repeated too often."""
    in_a, in_b = defaultdict(list), defaultdict(list)
    for features, by_word in ((a, in_a), (b, in_b)):
        for i, feature in enumerate(features):
            by_word[feature.word].append(i)
    matched: list[Match] = []
    for word in sorted(in_a.keys() & in_b.keys()):
        own = [(i, j) for i in in_a[word] for j in in_b[word]]
        if len(own) <= 9 and len(matched) + len(own) <= 1024:
            matched += own
    return matched


def vote(a: tuple[Feature, ...], b: tuple[Feature, ...], matched: list[Match]) -> list[Match]:
    """Those that agree with the similarity that most agree with."""
    best: list[Match] = []
    for i, j in matched[:: max(1, len(matched) // 128)]:
        f, g = a[i], b[j]
        growth, turn = g.size - f.size, g.angle - f.angle
        if abs(growth) > 48:
            continue
        scale = round(2 ** (growth / 16) * 1024)
        cos, sin = (round(16384 * h(turn * math.tau / 1024)) for h in (math.cos, math.sin))
        agreeing = []
        for k, m in matched:
            c, d = a[k], b[m]
            turned = (d.angle - c.angle - turn) % 1024
            dx, dy = c.x - f.x, c.y - f.y
            u, v = (
                (scale * cos * dx - scale * sin * dy) // 2**24,
                (scale * sin * dx + scale * cos * dy) // 2**24,
            )
            if (
                abs(d.size - c.size - growth) <= 8
                and min(turned, 1024 - turned) <= 85
                and abs(u - (d.x - g.x)) <= 128
                and abs(v - (d.y - g.y)) <= 128
            ):
                agreeing.append((k, m))
        if len(agreeing) > len(best):
            best = agreeing
    return best


class Affine(NamedTuple):
    """(x, y) -> u, v, each less its mean."""

    means: tuple[float, float, float, float]
    to_u: tuple[float, float]
    to_v: tuple[float, float]


def fit(chosen: list[tuple[Feature, Feature]]) -> Affine | None:
    """The least-squares affine map of pairs of features; None if they are too few or it is degenerate."""
    if len(chosen) < 4:
        return None
    rows = [(float(f.x), float(f.y), float(g.x), float(g.y)) for f, g in chosen]
    n = len(rows)
    means = tuple(total([row[axis] for row in rows]) / n for axis in range(4))
    x, y, u, v = ([row[axis] - means[axis] for row in rows] for axis in range(4))
    xx, xy, yy = dot(x, x), dot(x, y), dot(y, y)
    spread = xx * yy - xy * xy
    if spread <= 1e-6 * xx * yy:
        return None
    to_u, to_v = (
        ((dot(x, w) * yy - dot(y, w) * xy) / spread, (dot(y, w) * xx - dot(x, w) * xy) / spread)
        for w in (u, v)
    )
    if not 1 / 64 <= to_u[0] * to_v[1] - to_u[1] * to_v[0] <= 64:
        return None
    return Affine((means[0], means[1], means[2], means[3]), to_u, to_v)


def total(values: Iterable[float]) -> float:
    """The sum, one rounding an addition (Python 3.12's sum() would round once)."""
    out = 0.0
    for value in values:
        out = out + value
    return out


def dot(p: list[float], q: list[float]) -> float:
    return total(i * j for i, j in zip(p, q, strict=True))


def errors(affine: Affine, f: Feature, g: Feature) -> tuple[float, float]:
    """How far from g the map carries f, along either axis."""
    x, y = f.x - affine.means[0], f.y - affine.means[1]
    return (
        affine.to_u[0] * x + affine.to_u[1] * y - (g.x - affine.means[2]),
        affine.to_v[0] * x + affine.to_v[1] * y - (g.y - affine.means[3]),
    )
