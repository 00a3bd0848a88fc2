"""Faults in code that makes features of pictures and compares them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pdqhash

import shared.images
import shared.payloads
import shared.similarity
from bench.faults.code_features import sketched
from bench.faults.patches import Around, Patch, around, code, constant, method
from parity.faults import Fault
from shared import geometry
from shared.codebook import Codebook
from shared.extractors import pdq
from shared.spec import Spec


def _extractor(place: int, **changes: Any) -> Callable[[], Patch]:
    """The extractor of one channel has another parameter."""

    def change(spec: Spec) -> Spec:
        channels = list(spec.channels)
        extractor: Any = channels[place].extractor
        channels[place] = replace(channels[place], extractor=replace(extractor, **changes))
        return replace(spec, channels=tuple(channels))

    return sketched(change)


def _blue_first(original: Around, *arguments: Any) -> Any:
    found = original(*arguments)
    return found if isinstance(found, str) else np.ascontiguousarray(found[:, :, ::-1])


def _other_bits(original: Around, pixels: Any) -> Any:
    vector, quality = original(pixels)
    return vector[::-1], quality


def _a_step_further(original: Around, found: Any, features: Any) -> Any:
    return original(found, replace(features, x=features.x + 1))


def _other_words(original: Around, codebook: Codebook, descriptors: Any) -> Any:
    return original(descriptors) ^ 1


def _nearer(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    """< where it must be <=, and one inlier more than asked for."""
    bits = channel.match.max_distance is not None
    return original(channel, numerator - 1 if bits else numerator, denominator)


def _one_inlier_less(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    inliers = channel.match.min_inliers is not None
    return original(channel, numerator + 1 if inliers else numerator, denominator)


PICTURE_FAULTS: Sequence[Fault] = (
    code(
        "one pixel less is allowed",
        "features",
        "wrong",
        sketched(
            lambda spec: replace(spec, limits=replace(spec.limits, image_pixels=spec.limits.image_pixels - 1))
        ),
        roots=1,
    ),
    code(
        "a picture's orientation is ignored",
        "features",
        "wrong",
        around(shared.images, "_upright", lambda original, image: image),
        roots=1,
    ),
    code(
        "pictures are blue first",
        "features",
        "wrong",
        around(shared.payloads, "decode_image", _blue_first),
    ),
    code("the bits of PDQ in the other order", "features", "wrong", around(pdqhash, "compute", _other_bits)),
    code("PDQ of a smaller thumbnail", "features", "wrong", constant(pdq, "_THUMBNAIL", (60, 60))),
    code("another floor of quality", "features", "missing", _extractor(0, min_quality=90)),
    code(
        "another codebook",
        "features",
        "wrong",
        method(Codebook, "words", _other_words),
    ),
    code("features a step to the right", "features", "wrong", around(geometry, "pack", _a_step_further)),
    code("fewer features of a picture", "features", "wrong", _extractor(1, count=119)),
    code("no mirror images", "features", "wrong", _extractor(1, mirror=False)),
    code(
        "the stop list is ignored",
        "signature",
        "wrong",
        method(Codebook, "stopped", lambda original, self, found: np.zeros(len(found), np.bool_)),
    ),
    code("< in place of <=", "match", "missing", around(shared.similarity, "_accepts", _nearer)),
    code("an inlier less will do", "match", "extra", around(shared.similarity, "_accepts", _one_inlier_less)),
    code(
        "inliers counted one too many",
        "match",
        "wrong",
        around(shared.similarity, "count_inliers", lambda original, *arguments: original(*arguments) + 1),
    ),
)
