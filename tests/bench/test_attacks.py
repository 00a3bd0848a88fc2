"""Each attack against a plain statement of what it should do, which shares no code with it."""

import io
import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bench.attacks import ATTACKS, GOALS, generator
from tests.images import scene

Values = npt.NDArray[np.float64]

# As the issue lists them.
EXPECTED = """
gaussian noise 0.01, gaussian noise 0.02, gaussian noise 0.05, speckle 0.01, speckle 0.02,
speckle 0.05, salt and pepper 0.05, salt and pepper 0.1, salt and pepper 0.15, gaussian filter 3,
gaussian filter 5, gaussian filter 7, median filter 3, median filter 5, median filter 7, jpeg 10,
jpeg 50, jpeg 90, scale 0.4, scale 0.8, scale 1.2, scale 1.6, crop 5, crop 10, crop 20, crop 40,
crop 60, rotate 5, rotate 10, rotate 20, rotate 40, rotate 60, shear 1, shear 2, shear 5, shear 10,
shear 20, contrast 0.5, contrast 0.66, contrast 1.5, contrast 2, colour 0.5, colour 0.66, colour 1.5,
colour 2, brightness 0.5, brightness 0.66, brightness 1.5, brightness 2, sharpness 0.5, sharpness 0.66,
sharpness 1.5, sharpness 2, text 10, text 20, text 30, text 40, text 50"""


def attacked(name: str, pixels: npt.ArrayLike) -> Values:
    """float64[height, width, 3] of the file that the attack makes of uint8[height, width, 3]."""
    file = ATTACKS[name].file(Image.fromarray(np.asarray(pixels, np.uint8)), generator("a.jpg", name))
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), np.float64)


def grey(value: int, size: int = 200) -> Values:
    return np.full((size, size, 3), value, np.float64)


def dot(x: float, y: float, width: int = 161, height: int = 121) -> Values:
    """Black, with a soft white dot around the pixel (x, y)."""
    across, down = np.meshgrid(np.arange(width) - x, np.arange(height) - y)
    return np.repeat(255 * np.exp(-(across**2 + down**2) / 8)[..., None], 3, axis=2)


def centre(pixels: Values) -> tuple[float, float]:
    """(x, y) of the weight in a picture."""
    weight = pixels.sum(axis=2)
    y, x = np.indices(weight.shape)
    return float((x * weight).sum() / weight.sum()), float((y * weight).sum() / weight.sum())


def test_the_list_is_that_of_the_issue() -> None:
    assert list(ATTACKS) == [name.strip() for name in EXPECTED.replace("\n", " ").split(",")]
    assert len(ATTACKS) == 58
    assert {attack.group for attack in ATTACKS.values()} - GOALS.keys() == {
        "crop 40-60",
        "rotate 40-60",
        "shear 20",
    }


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_picture_is_attacked_the_same_way(name: str) -> None:
    image = Image.fromarray(scene(3, 120, 90))
    attack = ATTACKS[name]
    files = [attack.file(image, generator(photograph, name)) for photograph in ("a.jpg", "a.jpg", "b.jpg")]
    assert files[0] == files[1]
    random = attack.group in ("noise", "text")
    assert (files[0] != files[2]) == random
    changed = attack.change(image, generator("a.jpg", name))
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(files[0]))), np.asarray(changed)
    )  # nothing is lost
    assert not np.array_equal(np.asarray(changed), np.asarray(image))


@pytest.mark.parametrize("variance", [0.01, 0.02, 0.05])
def test_noise_has_the_variance_that_it_says_on_a_scale_of_one(variance: float) -> None:
    noise = attacked(f"gaussian noise {variance}", grey(128)) / 255 - 128 / 255
    kept = np.abs(noise) < 0.49  # the rest was cut off at 0 and 1
    assert np.var(noise) == pytest.approx(variance, rel=0.06) and kept.mean() > 0.97
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02  # colours apart
    speckle = attacked(f"speckle {variance}", grey(100)) / 255 - 100 / 255
    assert np.var(speckle) == pytest.approx(variance * (100 / 255) ** 2, rel=0.05)
    assert not attacked(f"speckle {variance}", grey(0)).any()  # a multiple of nothing


@pytest.mark.parametrize("amount", [0.05, 0.1, 0.15])
def test_salt_and_pepper_sets_that_share_of_the_values(amount: float) -> None:
    values = attacked(f"salt and pepper {amount}", grey(90))
    assert set(np.unique(values)) == {0, 90, 255}
    assert (values != 90).mean() == pytest.approx(amount, rel=0.05)
    assert (values == 255).mean() == pytest.approx(amount / 2, rel=0.08)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_a_gaussian_filter_spreads_a_point_over_its_kernel(size: int) -> None:
    point = np.zeros((21, 21, 3))
    point[10, 10] = 255
    around = np.arange(size) - size // 2
    weights = np.exp(-(around**2) / (2 * (0.6 * ((size - 1) / 2 - 1) + 1) ** 2))
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    expected = np.zeros((21, 21))
    first = 10 - size // 2
    expected[first : first + size, first : first + size] = np.rint(255 * kernel)
    assert np.array_equal(attacked(f"gaussian filter {size}", point)[..., 1], expected)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_a_median_filter_takes_the_median_around_each_pixel(size: int) -> None:
    pixels = scene(5, 40, 30)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))
    edge = size // 2
    inner = attacked(f"median filter {size}", pixels)[edge:-edge, edge:-edge]
    assert np.array_equal(inner, np.median(windows, axis=(3, 4)))


def test_jpeg_files_are_of_their_quality() -> None:
    image = Image.fromarray(scene(1))
    sizes = []
    for quality in (10, 50, 90):
        name = f"jpeg {quality}"
        file = ATTACKS[name].file(image, generator("a", name))
        opened = Image.open(io.BytesIO(file))
        assert opened.format == "JPEG" and ATTACKS[name].suffix == ".jpg"
        scaling = 5000 / quality if quality < 50 else 200 - 2 * quality  # libjpeg's rule, of its 16 at 50
        assert opened.quantization[0][0] == (16 * scaling + 50) // 100  # type: ignore[attr-defined]
        sizes.append(len(file))
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("factor", [0.4, 0.8, 1.2, 1.6])
def test_scaled_pictures_stay_at_their_size(factor: float) -> None:
    pixels = attacked(f"scale {factor}", dot(40, 30, 160, 120))
    assert pixels.shape == (round(120 * factor), round(160 * factor), 3)
    assert np.array(centre(pixels)) == pytest.approx(np.array([40.5, 30.5]) * factor - 0.5, abs=0.2)


@pytest.mark.parametrize("percent", [5, 10, 20, 40, 60])
def test_crops_cut_away_from_each_side_and_grow_back(percent: int) -> None:
    width, height = 200, 160
    x, y = 110.0, 75.0
    pixels = attacked(f"crop {percent}", dot(x, y, width, height))
    assert pixels.shape == (height, width, 3)
    kept = 1 - percent / 100
    expected = (
        (x + 0.5 - percent / 200 * width) / kept - 0.5,
        (y + 0.5 - percent / 200 * height) / kept - 0.5,
    )
    assert centre(pixels) == pytest.approx(expected, abs=0.6 / kept)


@pytest.mark.parametrize("degrees", [5, 10, 20, 40, 60])
def test_rotation_turns_left_on_a_larger_canvas_that_shrinks_back(degrees: int) -> None:
    width, height, x, y = 161, 121, 110.0, 45.0
    pixels = attacked(f"rotate {degrees}", dot(x, y, width, height))
    assert pixels.shape == (height, width, 3)
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    canvas = np.array([width * cos + height * sin, width * sin + height * cos])
    right, up = x - (width - 1) / 2, (height - 1) / 2 - y
    turned = np.array([right * cos - up * sin, -(right * sin + up * cos)])
    expected = turned * np.array([width, height]) / canvas + np.array([width - 1, height - 1]) / 2
    assert centre(pixels) == pytest.approx(tuple(expected), abs=0.7)


@pytest.mark.parametrize("degrees", [1, 2, 5, 10, 20])
def test_shear_moves_along_x_and_then_along_y_about_the_centre(degrees: int) -> None:
    width, height, x, y = 161, 121, 95.0, 50.0
    pixels = attacked(f"shear {degrees}", dot(x, y, width, height))
    assert pixels.shape == (height, width, 3)
    t = math.tan(math.radians(degrees))
    across, down = x - (width - 1) / 2, y - (height - 1) / 2
    across += t * down
    down += t * across
    expected = (across + (width - 1) / 2, down + (height - 1) / 2)
    assert centre(pixels) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("factor", [0.5, 0.66, 1.5, 2])
def test_photometric_attacks_move_away_from_grey_black_or_smooth(factor: float) -> None:
    pixels = scene(7).astype(np.float64)
    brighter = attacked(f"brightness {factor:g}", pixels)
    assert np.abs(brighter - np.minimum(255, pixels * factor)).max() <= 1
    light = pixels @ np.array([0.299, 0.587, 0.114])
    contrast = attacked(f"contrast {factor:g}", pixels)
    expected = np.clip(light.mean() + (pixels - light.mean()) * factor, 0, 255)
    assert np.abs(contrast - expected).max() <= 2
    colour = attacked(f"colour {factor:g}", pixels)
    expected = np.clip(light[..., None] + (pixels - light[..., None]) * factor, 0, 255)
    assert np.abs(colour - expected).max() <= 2
    edges = [
        np.abs(np.diff(image, axis=1)).sum() for image in (pixels, attacked(f"sharpness {factor:g}", pixels))
    ]
    assert (edges[1] > edges[0]) == (factor > 1)


def test_text_covers_more_the_longer_it_is_and_nothing_else() -> None:
    covered = []
    for length in (10, 20, 30, 40, 50):
        pixels = attacked(f"text {length}", grey(128, 512))
        changed = (pixels != 128).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        lines = math.ceil(length / 20)
        assert 25 * lines < np.ptp(rows) < 60 * lines  # letters of 40 of 512
        assert np.ptp(columns) < 512
        assert {0.0, 255.0} <= set(np.unique(pixels[changed]))  # white, with a black edge
        covered.append(changed.sum())
    assert covered == sorted(covered) and covered[-1] > 3.5 * covered[0]
