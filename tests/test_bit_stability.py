"""A picture's features are the same bits in every process, with any threads, with and without AVX-512."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from shared import codebook, minhash
from shared.extractors import make, sift
from tests import golden_files
from tests.acceptance.commands import ROOT, SHARED_DATA, needs_data
from tests.images import Pixels, scene

# Of the first 300 pictures of noise those in which OpenCV's AVX-512 code makes another descriptor.
TELLING = (132, 178, 251, 265)
AVX512 = "AVX512-SKX"
SHOW = "import sys; from tests.test_bit_stability import shown; sys.stdout.write(shown())"
COMPARE = "import sys; from tests.test_bit_stability import compared; sys.stdout.write(compared())"


def noise(seed: int) -> Pixels:
    """uint8[320, 320, 3]: grey blobs of four pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (80, 80), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(coarse).resize((320, 320), Image.Resampling.BILINEAR))
    return np.repeat(grey[..., None], 3, axis=2)


def digest(picture: Pixels) -> str:
    found = sift.detect(picture, 320, 1000)
    places = np.stack([found.x, found.y, found.size, found.angle]).astype("<i8")
    return hashlib.sha256(places.tobytes() + found.descriptors.tobytes()).hexdigest()[:16]


def shown() -> str:
    """Everything that a channel keeps of a few pictures."""
    pictures = [noise(seed) for seed in TELLING] + [scene(1, 320, 240)]
    lines = [sift.arithmetic(), *map(digest, pictures)]
    for name in ("image.words", "image.word_pairs"):
        found = make(name, {"mirror": True}).extract(pictures)
        assert found.records is not None
        lines.append(hashlib.sha256(found.tokens.tobytes() + b"".join(found.records.to_pylist())).hexdigest())
    return "\n".join(lines)


def compared() -> str:
    """The arithmetic, then the features of 50 photographs."""
    files = sorted((SHARED_DATA / "photos").glob("*/*/*.jpg"))[::26][:50]
    pictures = (np.asarray(Image.open(file).convert("RGB")) for file in files)
    return "\n".join([sift.arithmetic(), *map(digest, pictures)])


def elsewhere(code: str, **environment: str) -> str:
    """What the code says in a process of its own."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=unset | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OPENCV_CPU_DISABLE": AVX512, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OPENCV_FOR_THREADS_NUM": "2"},
        {"OPENCV_IPP": "avx2", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    ],
    ids=str,
)
def test_the_same_bits_in_another_process(environment: dict[str, str]) -> None:
    assert elsewhere(SHOW, **environment) == shown()


def test_the_same_bits_in_threads() -> None:
    expected = shown()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: shown(), range(4))) == {expected}


def test_the_same_bits_with_any_number_of_opencvs_threads() -> None:
    expected = digest(noise(TELLING[0]))
    try:
        for threads in (2, 4):
            sift._cv2().setNumThreads(threads)
            assert [digest(noise(TELLING[0])) for _ in range(3)] == [expected] * 3
    finally:
        sift._cv2().setNumThreads(1)


def test_opencv_that_was_loaded_with_avx512_is_refused() -> None:
    """Its features would be another machine's in all but a few: nothing else would notice."""
    load = "import cv2, sys; sys.stdout.write(str('*AVX512-SKX' in cv2.getCPUFeaturesLine().split()) + ' ');"
    try_it = (
        "from shared.extractors import sift\ntry: sift.arithmetic()\nexcept Exception as error: print(error)"
    )
    said = elsewhere(load + try_it)
    assert said.startswith(("False", "True OpenCV was loaded with AVX512-SKX on, which makes other features"))
    assert "OPENCV" not in elsewhere(load + try_it, OPENCV_CPU_DISABLE="AVX512-SKX")


def test_nothing_else_imports_opencv() -> None:
    """Whatever imports it first decides which code it runs."""
    rooms = ("shared", "batch", "stream", "parity", "cli", "bench")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    found = [file for file in files if re.search(r"^\s*(import|from) cv2\b", file.read_text("utf-8"), re.M)]
    assert found == [ROOT / "shared" / "extractors" / "sift.py"]


def test_what_the_operator_disables_stays_disabled() -> None:
    code = (
        "import os; from shared.extractors import sift; sift.arithmetic(); "
        "print(os.environ['OPENCV_CPU_DISABLE'])"
    )
    assert elsewhere(code, OPENCV_CPU_DISABLE="FP16").strip() == "FP16,AVX512-SKX"
    assert elsewhere(code, OPENCV_CPU_DISABLE="AVX512-SKX").strip() == "AVX512-SKX"


OTHER_PROCESSORS = ("AVX2", "AVX2,AVX,FP16", "AVX2,AVX,FP16,SSE4.2,SSE4.1")


@pytest.mark.parametrize("disabled", OTHER_PROCESSORS)
def test_another_arithmetic_shows(disabled: str) -> None:
    """Whenever a picture's features differ, so does what the contract holds of the arithmetic."""
    here, there = shown().split("\n"), elsewhere(SHOW, OPENCV_CPU_DISABLE=disabled).split("\n")
    assert here == there or here[0] != there[0]


@pytest.mark.slow
@needs_data("photos")
def test_another_arithmetic_shows_on_50_photographs() -> None:
    found = [elsewhere(COMPARE, OPENCV_CPU_DISABLE=disabled) for disabled in ("", *OTHER_PROCESSORS)]
    by_arithmetic = {one.split("\n")[0]: one for one in found}
    assert all(by_arithmetic[one.split("\n")[0]] == one for one in found)
    assert len(found[0].split("\n")) == 51


def integers() -> Pixels:
    """uint8[240, 320, 3] of whole numbers alone: no other library's random numbers are in it."""
    y, x = np.mgrid[:240, :320]
    blocks = (y // 24 * 7 + x // 20 * 13) * 29 % 97
    return np.stack([blocks + (x * y * k // 53 & 127) for k in (1, 2, 3)], axis=2).astype(np.uint8)


def test_golden_features() -> None:
    """For ever, for this codebook and this arithmetic: stored runs hold these values."""
    lines = [
        f"codebook {codebook.DEFAULT} {codebook.load(codebook.DEFAULT).digest}",
        f"arithmetic {sift.arithmetic()}",
    ]
    for name in ("image.words", "image.word_pairs"):
        for mirror in (False, True):
            found = make(name, {"mirror": mirror}).extract([integers()])
            assert found.records is not None
            record = found.records[0].as_py()
            signature = minhash.signatures(found.tokens, found.offsets, 128, 1)
            lines.append(f"{name} mirror={mirror}: {len(found.tokens)} tokens, {len(record)} bytes")
            for what, data in (
                ("tokens", found.tokens.astype("<u8")),
                ("signature", signature.astype("<u4")),
            ):
                lines.append(f"  {what} {hashlib.sha256(data.tobytes()).hexdigest()}")
            lines.append(f"  record {hashlib.sha256(record).hexdigest()} from {record[:24].hex()}")
    golden_files.check("visual_words.txt", "\n".join(lines) + "\n")
