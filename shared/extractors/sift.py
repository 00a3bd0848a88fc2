"""Local features of a picture: SIFT (Lowe 2004) as OpenCV computes it, in integers from there on.

OpenCV's floats are the same from process to process and with any number of threads. Its AVX-512 code rounds
one descriptor in 100,000 otherwise than its AVX2 code, so it is off. Whether floats are the same on another
kind of processor is not assumed: `arithmetic` is part of the contract.
"""

import ctypes
import functools
import hashlib
import os
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.errors import CrossfadeError

POSITION = 8  # steps of a pixel; of the picture's longest side scaled to `side` pixels
SIZE = 16  # steps of an octave
TURN = 1024  # steps of a whole turn
MOST_STEPS = 4095  # of a position: 12 bits

_CONTRAST = 0.02  # SIFT's own 0.04 leaves soft pictures with few features; less is mostly backdrop
_SURPLUS = 1.2  # detected, of those wanted: room for the choice of the large ones
_UNIT = 512  # length of a RootSIFT descriptor
_AVX512 = "AVX512-SKX"
# glibc's numbers for mallopt, and what they are set to
_KEPT = {-3: 32 << 20, -1: 256 << 20}  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD: bytes

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LocalFeatures:
    """n features. x, y, size (log2 of the diameter) and angle: int64[n] in the steps above.

    descriptors: uint8[n, 128], RootSIFT (Arandjelovic, Zisserman 2012) times 512.
    """

    x: Ints
    y: Ints
    size: Ints
    angle: Ints
    descriptors: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.x)


def detect(picture: npt.NDArray[np.uint8], side: int, count: int) -> LocalFeatures:
    """At most `count` features of uint8[height, width, 3] RGB, after scaling its longest side to `side`.

    Of what SIFT finds the greatest (response x diameter) are kept: the strongest alone are mostly fine
    texture, which does not survive a crop or a blur (measured: docs/accuracy.md).
    """
    keypoints, floats = (
        _cv2()
        .SIFT_create(nfeatures=round(count * _SURPLUS), contrastThreshold=_CONTRAST)
        .detectAndCompute(_grey(picture, side), None)
    )
    if floats is None:
        floats = np.empty((0, 128), np.float32)
    # x, y, diameter, angle, response
    found = np.array([(*p.pt, p.size, p.angle, p.response) for p in keypoints], np.float64).reshape(-1, 5)
    x, y = np.clip(np.rint(found[:, :2].T * POSITION), 0, MOST_STEPS).astype(np.int64)
    size = np.searchsorted(_size_steps(), found[:, 2])
    angle = np.rint(found[:, 3] * (TURN / 360)).astype(np.int64) % TURN
    kept = np.lexsort((angle, size, y, x, -found[:, 4] * found[:, 2]))[:count]
    return LocalFeatures(x[kept], y[kept], size[kept], angle[kept], _root(floats[kept]))


def mirrored(features: LocalFeatures, width: int) -> LocalFeatures:
    """The features of the picture flipped left to right. width: of the picture, in position steps.

    A descriptor is 4 x 4 places x 8 directions in the frame of its own angle: the places flip across that
    angle, the directions change their sense.
    """
    places = features.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    flipped = places[..., (-np.arange(8)) % 8].reshape(-1, 128)
    return LocalFeatures(
        np.clip(width - features.x, 0, MOST_STEPS),
        features.y,
        features.size,
        (TURN // 2 - features.angle) % TURN,
        np.ascontiguousarray(flipped),
    )


@functools.cache
def arithmetic() -> str:
    """16 hex digits of the features of one made picture: how this machine and this OpenCV compute."""
    rows, columns = np.mgrid[:320, :320]
    picture = np.stack(
        [rows * columns * k // 37 + (rows // 20 ^ columns // 20) * 9 for k in (1, 2, 3)], axis=2
    )
    features = detect((picture & 255).astype(np.uint8), 320, 500)
    places = np.stack([features.x, features.y, features.size, features.angle]).astype("<i8")
    return hashlib.sha256(places.tobytes() + features.descriptors.tobytes()).hexdigest()[:16]


def scaled(height: int, width: int, side: int) -> tuple[int, int]:
    """(height, width) with the longest side `side`."""
    longest = max(height, width)
    rows, columns = (max(1, (2 * length * side + longest) // (2 * longest)) for length in (height, width))
    return rows, columns


def _grey(picture: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Pillow's grey and reduction: fixed-point, the same on every machine."""
    height, width = scaled(picture.shape[0], picture.shape[1], side)
    grey = Image.fromarray(picture).convert("L")
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _root(floats: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """RootSIFT from OpenCV's descriptors, whose floats are whole numbers. Exact: IEEE's / and sqrt are."""
    sums = np.maximum(floats.sum(axis=1, dtype=np.float64, keepdims=True), 1)
    units = np.rint(np.sqrt(floats.astype(np.float64) / sums) * _UNIT)
    return np.asarray(np.minimum(units, 255).astype(np.uint8))


@functools.cache
def _size_steps() -> npt.NDArray[np.float64]:
    """Diameters between two size steps. Rounded, so that no machine's power function shows."""
    return np.round(2.0 ** ((np.arange(255) + 0.5) / SIZE) * 1024) / 1024


@functools.cache
def _cv2() -> ModuleType:
    os.environ["OPENCV_IPP"] = "disabled"  # its code paths depend on the processor
    disabled = os.environ.get("OPENCV_CPU_DISABLE", "")
    if _AVX512 not in disabled:
        os.environ["OPENCV_CPU_DISABLE"] = f"{disabled},{_AVX512}".lstrip(",")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # or it warns that IPP is disabled
    import cv2

    if f"*{_AVX512}" in cv2.getCPUFeaturesLine().split():  # it ends in "?" where it is off
        raise CrossfadeError(
            f"OpenCV was loaded with {_AVX512} on, which makes other features than other processors do; "
            f"set OPENCV_CPU_DISABLE={_AVX512} before cv2 is imported"
        )
    cv2.setNumThreads(1)  # the processes are as many as the cores already
    _keep_freed_memory()
    return cv2


def _keep_freed_memory() -> None:
    """SIFT takes and frees some 15 MB a picture; to have them cleared each time takes a third of its time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        for option, value in _KEPT.items():
            libc.mallopt(option, value)
