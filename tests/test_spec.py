from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from shared.curve import candidate_probability
from shared.errors import SpecError
from shared.spec import from_dict, load, preset_names, to_dict


def data() -> dict[str, Any]:
    """A valid spec with two channels."""
    channel = {
        "name": "words",
        "extractor": "text.shingles",
        "parameters": {"unit": "word", "size": 3},
        "minhash": {"permutations": 128},
        "bands": {"count": 32, "rows": 4},
        "draws": {"first": 4, "near": 4},
        "match": {"rule": "jaccard", "threshold": "0.7"},
    }
    return {"name": "mine", "channels": [channel, {**deepcopy(channel), "name": "more"}]}


def hamming() -> dict[str, Any]:
    channel = {
        "name": "planes",
        "extractor": "embedding.hyperplanes",
        "parameters": {"dimensions": 8, "bits": 64},
        "minhash": {"permutations": 64},
        "bands": {"count": 16, "rows": 4},
        "draws": {"first": 4, "near": 4},
        "match": {"rule": "hamming", "max_distance": 6},
    }
    return {"name": "vectors", "channels": [channel]}


def change(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set `a.b` (a channel's when it begins with `channel.`); None removes it."""
    *parents, last = path.split(".")
    place: Any = spec
    for name in parents:
        place = place["channels"][0] if name == "channel" else place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return spec


BAD: list[tuple[str, Any, str]] = [
    (
        "colour",
        "red",
        "the spec: unknown colour; allowed are channels, clusters, engine, gates, limits, name, times",
    ),
    ("name", None, "the spec: name is missing"),
    ("name", 3, "the spec: name is 3; it must be str"),
    ("channels", None, "[[channels]] is missing: a spec needs at least one channel"),
    ("channels", [], "[[channels]] is missing: a spec needs at least one channel"),
    ("channels", ["words"], "[[channels]] must be a table"),
    ("times", 3, "[times] must be a table"),
    ("times.max_skew_ms", 1.5, "[times]: max_skew_ms is 1.5; it must be int"),
    ("times.max_skew_ms", True, "[times]: max_skew_ms is True; it must be int"),
    ("times.max_skew_ms", -1, f"times.max_skew_ms is -1; it must be from 0 to {2**53}"),
    ("times.retention_ms", 5, "times.retention_ms requires times.max_skew_ms"),
    ("times.unknown", 5, "[times]: unknown unknown; allowed are max_lateness_ms, max_skew_ms, retention_ms"),
    ("limits.payload_bytes", 0, f"limits.payload_bytes is 0; it must be from 1 to {2**31 - 1}"),
    ("limits.image_pixels", 2**31, f"limits.image_pixels is {2**31}; it must be from 1"),
    ("clusters.rule", "cliques", "clusters.rule is 'cliques'; it must be one of heads, components"),
    ("channel.name", "more", "channel names must be unique and not empty: ['more', 'more']"),
    ("channel.name", "", "channel names must be unique and not empty"),
    ("channel.name", None, "[[channels]]: name is missing"),
    ("channel.weight", 2, "[[channels]]: unknown weight"),
    (
        "channel.extractor",
        "audio.tones",
        "channel 'words': extractor 'audio.tones' does not exist; it must be one of",
    ),
    ("channel.extractor", "image.pdq", "channel 'words': image.pdq has no parameter 'unit'"),
    ("channel.parameters", 4, "channel 'words': parameters must be a table"),
    ("channel.parameters.size", "3", "channel 'words': text.shingles: size is '3'; it must be of type int"),
    ("channel.parameters.size", 0, "channel 'words': text.shingles: size is 0"),
    ("channel.minhash", None, "channel 'words': minhash must be a table"),
    ("channel.minhash", {}, "channel 'words': minhash: permutations is missing"),
    (
        "channel.minhash.permutations",
        0,
        "channel 'words': minhash.permutations is 0; it must be from 1 to 4096",
    ),
    ("channel.minhash.seed", -1, "channel 'words': minhash.seed is -1; it must be from 0 to 4294967295"),
    ("channel.bands.count", 33, "33 bands of 4 rows need 132 permutations; minhash.permutations is 128"),
    ("channel.bands.count", 0, "channel 'words': bands.count is 0; it must be from 1 to 4096"),
    ("channel.bands.rows", 0, "channel 'words': bands.rows is 0; it must be from 1 to 4096"),
    ("channel.draws.first", -1, "channel 'words': draws.first is -1; it must be from 0 to 1024"),
    ("channel.draws.near", 1025, "channel 'words': draws.near is 1025; it must be from 0 to 1024"),
    ("channel.match.rule", "cosine", "match.rule is 'cosine'; it must be one of jaccard, agreement, hamming"),
    ("channel.match.rule", "hamming", "match.rule hamming needs bits, which text.shingles does not give"),
    (
        "channel.match.threshold",
        0.7,
        "match: threshold is 0.7; it must be str in quotes, so that it stays exact",
    ),
    ("channel.match.threshold", None, "match.rule jaccard takes threshold; threshold is None"),
    ("channel.match.max_distance", 3, "match.rule jaccard takes threshold; max_distance is 3"),
    ("channel.match.threshold", "much", "match.threshold 'much' is not a decimal"),
    ("channel.match.threshold", "1/0", "match.threshold '1/0' is not a decimal"),
    ("channel.match.threshold", "7/10", "match.threshold '7/10' is not a decimal"),
    ("channel.match.threshold", "nan", "match.threshold 'nan' is not a decimal"),
    ("channel.match.threshold", "0", "match.threshold '0' must be above 0, at most 1, to 9 decimals"),
    ("channel.match.threshold", "1.01", "must be above 0, at most 1, to 9 decimals"),
    ("channel.match.threshold", "0.7000000001", "must be above 0, at most 1, to 9 decimals"),
    ("channel.match.threshold", "1e-400000000", "match.threshold '1e-400000000' is not a decimal"),
    ("channel.match.min_agreeing_bands", 33, "match.min_agreeing_bands is 33; it must be from 0 to 32"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BAD)
def test_each_error_has_its_sentence(path: str, value: Any, sentence: str) -> None:
    from_dict(data())
    with pytest.raises(SpecError) as caught:
        from_dict(change(data(), path, value))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("channel.match.max_distance", None, "match.rule hamming takes max_distance; max_distance is None"),
        ("channel.match.threshold", "0.7", "match.rule hamming takes max_distance; threshold is 0.7"),
        ("channel.match.max_distance", 64, "match.max_distance is 64; it must be from 0 to 63"),
        ("channel.match.max_distance", -1, "match.max_distance is -1; it must be from 0 to 63"),
        ("channel.parameters.dimensions", None, "embedding.hyperplanes needs the parameter 'dimensions'"),
        ("channel.parameters.bits", 12, "bits is 12; it must be a multiple of 8"),
    ],
)
def test_each_hamming_error_has_its_sentence(path: str, value: Any, sentence: str) -> None:
    from_dict(hamming())
    with pytest.raises(SpecError) as caught:
        from_dict(change(hamming(), path, value))
    assert sentence in str(caught.value)


def test_channels_take_one_kind_of_payload() -> None:
    mixed = data()
    mixed["channels"] += hamming()["channels"]
    with pytest.raises(
        SpecError, match="all channels must take one kind of payload; these take text, vector"
    ):
        from_dict(mixed)


def test_a_hundred_channels_at_most() -> None:
    many = data()
    many["channels"] = [many["channels"][0] | {"name": f"c{i}"} for i in range(101)]
    with pytest.raises(SpecError, match="101 channels; at most 100 are possible"):
        from_dict(many)


def test_a_path_that_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec 'nope' is neither a preset \(.*text.*\) nor a readable file"):
        load("nope")
    with pytest.raises(SpecError, match="nor a readable file"):
        load(str(tmp_path))
    file = tmp_path / "spec.toml"
    file.write_text("name = \n")
    with pytest.raises(SpecError, match=f"spec {file} is not TOML: .*line 1"):
        load(str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="nor a readable file"):
        load(str(file))
    file.write_text('name = "x"')
    with pytest.raises(SpecError, match=rf"spec {file}: \[\[channels\]\] is missing"):
        load(str(file))


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_come_back_from_their_own_dict(name: str) -> None:
    spec = load(name)
    assert spec.name == name
    assert from_dict(to_dict(spec)) == spec


def test_defaults_are_filled_in() -> None:
    spec = from_dict(data())
    assert (spec.times.max_skew_ms, spec.times.need_append_time, spec.clusters.rule) == (None, False, "heads")
    assert (spec.channels[0].minhash.seed, spec.channels[0].match.min_agreeing_bands) == (1, 0)
    assert spec.kind == "text" and spec.limits.payload_bytes == 32 * 2**20
    assert from_dict(to_dict(spec)) == spec


def test_thresholds_are_exact() -> None:
    fraction = from_dict(change(data(), "channel.match.threshold", "0.7")).channels[0].match.fraction
    assert (fraction.numerator, fraction.denominator) == (7, 10)


def test_the_curve_is_that_of_bands() -> None:
    words = load("text").channels[0]
    assert candidate_probability(words, 0.7) == pytest.approx(1 - (1 - 0.7**4) ** 32)
    assert candidate_probability(words, 1) == 1 and candidate_probability(words, 0) == 0
    planes = from_dict(hamming()).channels[0]
    jaccard = 0.75 / 1.25  # 48 of 64 bits: 48 common tokens, 80 in the union
    assert candidate_probability(planes, 0.75) == pytest.approx(1 - (1 - jaccard**4) ** 16)
