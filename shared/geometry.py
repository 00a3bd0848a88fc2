"""Do two pictures show one scene? Features that share a visual word, counted where one affine map joins them.

Every word that two pictures share proposes a map by the position, size and angle of its two features
(Lowe 2004, section 7.3); the proposal that most words agree with is refined to an affine map by least
squares, and the features it carries onto each other are the inliers. They count only if they are spread
out (a caption in common is not) and a fair share of what lies in both pictures (a floor in common has few).
No random numbers. Integers but for the affine map: sums, products and quotients of float64 in a fixed order,
without fused operations.

A record is uint64, little-endian: a header (version << 32 | features), the features in ascending order, and,
with `mirror`, as many of the flipped picture. A feature is
word << 42 | x << 30 | y << 18 | size << 10 | angle, in the steps of shared/extractors/sift.py.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from shared.errors import CrossfadeError

if TYPE_CHECKING:
    from shared.extractors.sift import LocalFeatures

RECORD_VERSION = 1

_WORD, _X, _Y, _SIZE = (np.uint64(shift) for shift in (42, 30, 18, 10))
_12_BITS, _8_BITS, _10_BITS = (np.uint64(2**bits - 1) for bits in (12, 8, 10))

_REPEATS = 9  # a word that is m times in one picture and n in the other: of m * n pairs at most so many
_CORRESPONDENCES = 1024
_PROPOSALS = 128
_SIZES = 8  # steps: half an octave between what two words say about scale
_ANGLES = 85  # steps: 30 degrees between what they say about rotation
_FAR = 128  # steps: 16 pixels from where a similarity says; shear and perspective are not in it yet
_NEAR = 48  # steps: 6 pixels from where the affine map says
_REFINEMENTS = 3
_SPREAD = 64  # steps: 8 pixels across a line of text, which pictures of different scenes may have in common
_SHARE = 20  # one in so many of what lies in both pictures is an inlier; of a floor in common, fewer are
_MOST_SCALE = 48  # steps: three octaves

_TURNS = np.arange(1024) * (2 * np.pi / 1024)
_COS, _SIN = (np.rint(f(_TURNS) * 2**14).astype(np.int64) for f in (np.cos, np.sin))
_SCALE = np.rint(2.0 ** (np.arange(-_MOST_SCALE, _MOST_SCALE + 1) / 16) * 2**10).astype(np.int64)

Ints = npt.NDArray[np.int64]
Record = npt.NDArray[np.uint64]


def pack(words: Ints, features: "LocalFeatures") -> Record:
    """uint64[n], ascending: the features with their words (int64[n])."""
    fields = ((words, _WORD), (features.x, _X), (features.y, _Y), (features.size, _SIZE))
    packed = features.angle.astype(np.uint64)
    for values, shift in fields:
        packed |= values.astype(np.uint64) << shift
    return np.sort(packed)


def record(plain: Record, flipped: Record | None) -> bytes:
    """The bytes of a record."""
    header = np.array([RECORD_VERSION << 32 | len(plain)], "<u8")
    return b"".join(
        part.astype("<u8", copy=False).tobytes() for part in (header, plain, flipped) if part is not None
    )


def count_inliers(values: Record, offsets: Ints, left: Ints, right: Ints, least: int) -> Ints:
    """int64[pairs]: the inliers of records left[p] and right[p]; record i is values[offsets[i]:offsets[i+1]].

    The same whichever of two is the left. With flipped features the greater count of both ways. Of a pair
    that cannot reach `least` it may be any number below that.
    """
    _require_version(values[offsets[np.unique(np.concatenate([left, right]))]])
    out = np.zeros(len(left), np.int64)
    _for_each_pair(values, offsets, left, right, least, out)
    return out


def matched_points(a: Record, b: Record) -> tuple[Ints, bool]:
    """(int64[n, 4], flipped): x, y in a and x, y in b of every inlier of two records, in position steps.

    If `flipped`, one picture shows the other's mirror image, and the places of the record that is less than
    the other are those of its flipped picture.
    """
    _require_version(np.array([a[0], b[0]]))
    swapped = not _is_ordered(a, b)
    one, two = (b, a) if swapped else (a, b)
    flipped, i, j = _best(one, two, 0)
    one, two = _part(one, flipped)[i], _part(two, False)[j]
    columns = [f >> shift & _12_BITS for f in ((two, one) if swapped else (one, two)) for shift in (_X, _Y)]
    return np.stack(columns, axis=1).astype(np.int64), bool(flipped)


def _require_version(headers: Record) -> None:
    versions = np.unique(headers >> np.uint64(32)).tolist()
    if versions not in ([], [RECORD_VERSION]):
        raise CrossfadeError(
            f"verification records of version {versions} were found and this crossfade reads version "
            f"{RECORD_VERSION}: make the run or the state again"
        )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _for_each_pair(values: Record, offsets: Ints, left: Ints, right: Ints, least: int, out: Ints) -> None:
    for p in range(len(left)):
        a = values[offsets[left[p]] : offsets[left[p] + 1]]
        b = values[offsets[right[p]] : offsets[right[p] + 1]]
        if _is_ordered(a, b):
            out[p] = len(_best(a, b, least)[1])
        else:
            out[p] = len(_best(b, a, least)[1])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_ordered(a: Record, b: Record) -> bool:
    """Whether a <= b, value by value: of two records always the same one is mapped onto the other."""
    for i in range(min(len(a), len(b))):
        if a[i] != b[i]:
            return bool(a[i] < b[i])
    return len(a) <= len(b)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _part(record: Record, flipped: bool) -> Record:
    """The features of the picture as it is, or flipped (none where the record has none)."""
    end = 1 + np.int64(record[0] & np.uint64(0xFFFFFFFF))
    return record[end:] if flipped else record[1:end]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _best(a: Record, b: Record, least: int) -> tuple[bool, Ints, Ints]:
    """(flipped, rows of a's part, rows of b's plain part): the inliers of the way that has more."""
    i, j = _inliers(_part(a, False), _part(b, False), least)
    flipped = _part(a, True)
    if len(flipped):
        k, m = _inliers(flipped, _part(b, False), least)
        if len(k) > len(i):
            return True, k, m
    return False, i, j


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _inliers(a: Record, b: Record, least: int) -> tuple[Ints, Ints]:
    """Rows of a and rows of b that one affine map joins, one to one; fewer than `least` may be none."""
    i, j = _correspondences(a, b)
    if len(i) < max(least, 4):
        return i[:0], j[:0]
    places = np.empty((4, len(i)), np.int64)  # x, y in a; x, y in b
    growth, turn = np.empty(len(i), np.int64), np.empty(len(i), np.int64)
    for k in range(len(i)):
        f, g = a[i[k]], b[j[k]]
        places[0, k], places[1, k] = np.int64(f >> _X & _12_BITS), np.int64(f >> _Y & _12_BITS)
        places[2, k], places[3, k] = np.int64(g >> _X & _12_BITS), np.int64(g >> _Y & _12_BITS)
        growth[k] = np.int64(g >> _SIZE & _8_BITS) - np.int64(f >> _SIZE & _8_BITS)
        turn[k] = np.int64(g & _10_BITS) - np.int64(f & _10_BITS)
    inlier = _vote(places, growth, turn)
    affine = np.zeros(8)
    for refinement in range(_REFINEMENTS):
        tolerance = _NEAR if refinement else (_NEAR + _FAR) // 2
        if not _refine(places, i, j, tolerance, inlier, affine):
            return i[:0], j[:0]
    kept = np.flatnonzero(inlier)
    if not (_is_spread(places[:2], kept) and _is_spread(places[2:], kept)):
        return i[:0], j[:0]
    if len(kept) * _SHARE < _in_both(a, b, affine):
        return i[:0], j[:0]
    return i[kept], j[kept]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_spread(places: Ints, rows: Ints) -> bool:
    """Whether the lesser standard deviation of places, along the axes of their ellipse, reaches _SPREAD."""
    mean_x, mean_y = 0.0, 0.0
    for k in rows:
        mean_x += places[0, k]
        mean_y += places[1, k]
    mean_x /= max(1, len(rows))
    mean_y /= max(1, len(rows))
    xx, xy, yy = 0.0, 0.0, 0.0
    for k in rows:
        x, y = places[0, k] - mean_x, places[1, k] - mean_y
        xx += x * x
        xy += x * y
        yy += y * y
    least = float(_SPREAD * _SPREAD * len(rows))
    return xx >= least and yy >= least and (xx - least) * (yy - least) >= xy * xy


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _in_both(a: Record, b: Record, affine: npt.NDArray[np.float64]) -> int:
    """How many features of a the map carries into b's picture, or of b into a's; the fewer of both."""
    m, n, o, p, x0, y0, u0, v0 = affine
    d = m * p - n * o
    inverse = np.array((p / d, -n / d, -o / d, m / d, u0, v0, x0, y0))
    forth: int = _carried(a, b, affine)
    back: int = _carried(b, a, inverse)
    return min(forth, back)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _carried(features: Record, others: Record, affine: npt.NDArray[np.float64]) -> int:
    """How many features an affine map carries to where `others` has its own, from 0 to the furthest."""
    m, n, o, p, x0, y0, u0, v0 = affine
    count = width = height = 0
    for f in others:
        width = max(width, int(f >> _X & _12_BITS))
        height = max(height, int(f >> _Y & _12_BITS))
    for f in features:
        x, y = np.int64(f >> _X & _12_BITS) - x0, np.int64(f >> _Y & _12_BITS) - y0
        u, v = m * x + n * y + u0, o * x + p * y + v0
        if 0 <= u <= width and 0 <= v <= height:
            count += 1
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _correspondences(a: Record, b: Record) -> tuple[Ints, Ints]:
    """Rows of a and of b that share a word, in ascending order."""
    rows_a, rows_b = np.empty(_CORRESPONDENCES, np.int64), np.empty(_CORRESPONDENCES, np.int64)
    n = i = j = 0
    while i < len(a) and j < len(b):
        word_a, word_b = a[i] >> _WORD, b[j] >> _WORD
        if word_a < word_b:
            i += 1
        elif word_b < word_a:
            j += 1
        else:
            i_end, j_end = i, j
            while i_end < len(a) and a[i_end] >> _WORD == word_a:
                i_end += 1
            while j_end < len(b) and b[j_end] >> _WORD == word_a:
                j_end += 1
            pairs = (i_end - i) * (j_end - j)
            if pairs <= _REPEATS and n + pairs <= _CORRESPONDENCES:
                for row_a in range(i, i_end):
                    for row_b in range(j, j_end):
                        rows_a[n], rows_b[n] = row_a, row_b
                        n += 1
            i, j = i_end, j_end
    return rows_a[:n], rows_b[:n]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _vote(places: Ints, growth: Ints, turn: Ints) -> npt.NDArray[np.bool_]:
    """Which correspondences agree with the proposal that most agree with, the first of equals."""
    n = len(growth)
    agreeing, best = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    most = 0
    step = max(1, n // _PROPOSALS)
    for h in range(0, n, step):
        if abs(growth[h]) > _MOST_SCALE:
            continue
        scale = _SCALE[growth[h] + _MOST_SCALE]
        cos, sin = scale * _COS[turn[h] & 1023], scale * _SIN[turn[h] & 1023]
        count = 0
        for k in range(n):
            agreeing[k] = False
            turned = (turn[k] - turn[h] + 512) & 1023
            if abs(growth[k] - growth[h]) <= _SIZES and abs(turned - 512) <= _ANGLES:
                dx, dy = places[0, k] - places[0, h], places[1, k] - places[1, h]
                error_x = ((cos * dx - sin * dy) >> 24) - (places[2, k] - places[2, h])
                error_y = ((sin * dx + cos * dy) >> 24) - (places[3, k] - places[3, h])
                agreeing[k] = abs(error_x) <= _FAR and abs(error_y) <= _FAR
                count += agreeing[k]
        if count > most:
            most, best, agreeing = count, agreeing, best
    return best


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _refine(
    places: Ints,
    rows_a: Ints,
    rows_b: Ints,
    tolerance: int,
    inlier: npt.NDArray[np.bool_],
    affine: npt.NDArray[np.float64],
) -> bool:
    """Fit the affine map of the inliers and choose them again, in place; False if they have none.

    affine: float64[8], written: the matrix by rows, then the means in a and in b.
    """
    n = np.int64(inlier.sum())
    if n < 4:
        return False
    mean = np.zeros(4)
    for k in range(len(inlier)):
        if inlier[k]:
            for axis in range(4):
                mean[axis] += places[axis, k]
    mean /= n
    xx, xy, yy, xu, yu, xv, yv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(len(inlier)):
        if inlier[k]:
            x, y = places[0, k] - mean[0], places[1, k] - mean[1]
            u, v = places[2, k] - mean[2], places[3, k] - mean[3]
            xx += x * x
            xy += x * y
            yy += y * y
            xu += x * u
            yu += y * u
            xv += x * v
            yv += y * v
    spread = xx * yy - xy * xy
    if spread <= 1e-6 * xx * yy:  # on a line
        return False
    a, b = (xu * yy - yu * xy) / spread, (yu * xx - xu * xy) / spread
    c, d = (xv * yy - yv * xy) / spread, (yv * xx - xv * xy) / spread
    if not 1 / 64 <= a * d - b * c <= 64:  # mirrors, or shrinks to nothing
        return False
    affine[:] = (a, b, c, d, mean[0], mean[1], mean[2], mean[3])
    used_a, used_b = np.zeros(rows_a[-1] + 1, np.bool_), np.zeros(rows_b.max() + 1, np.bool_)
    for k in range(len(inlier)):
        x, y = places[0, k] - mean[0], places[1, k] - mean[1]
        error_u = a * x + b * y - (places[2, k] - mean[2])
        error_v = c * x + d * y - (places[3, k] - mean[3])
        close = abs(error_u) <= tolerance and abs(error_v) <= tolerance
        inlier[k] = close and not used_a[rows_a[k]] and not used_b[rows_b[k]]
        if inlier[k]:
            used_a[rows_a[k]] = used_b[rows_b[k]] = True
    return True
