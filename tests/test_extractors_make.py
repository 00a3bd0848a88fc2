"""Making an extractor from a spec: strict, and nothing of it outside the contract."""

from dataclasses import asdict

import pytest

from shared.errors import SpecError
from shared.extractors import REGISTRY, make

BAD = [
    ("text.shingle", {}, "image.pdq"),
    ("text.shingles", {"sizes": 3}, "unit, size, normalise, casefold"),
    ("text.shingles", {"size": "3"}, "size is '3'; it must be of type int"),
    ("text.shingles", {"size": True}, "size is True; it must be of type int"),
    ("text.shingles", {"size": 3.0}, "size is 3.0"),
    ("text.shingles", {"casefold": 1}, "casefold is 1; it must be of type bool"),
    ("text.shingles", {"size": 0}, "text.shingles: size is 0; it must be an integer from 1 to 64"),
    ("text.shingles", {"size": 65}, "from 1 to 64"),
    ("text.shingles", {"unit": "line"}, "unit is 'line'; it must be one of word, character"),
    ("text.shingles", {"normalise": "NFC"}, "NFKC, none"),
    ("image.pdq", {"min_quality": 101}, "from 0 to 100"),
    ("image.pdq", {"min_quality": -1}, "from 0 to 100"),
    ("embedding.hyperplanes", {}, "needs the parameter 'dimensions'"),
    ("embedding.hyperplanes", {"dimensions": 0}, "dimensions is 0"),
    ("embedding.hyperplanes", {"dimensions": 65537}, "from 1 to 65,536"),
    ("embedding.hyperplanes", {"dimensions": 8, "bits": 12}, "multiple of 8"),
    ("embedding.hyperplanes", {"dimensions": 8, "bits": 4104}, "multiple of 8"),
    ("embedding.hyperplanes", {"dimensions": 8, "seed": -1}, "seed is -1"),
]


@pytest.mark.parametrize(("name", "parameters", "sentence"), BAD)
def test_what_is_wrong_is_named(name: str, parameters: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        make(name, parameters)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", REGISTRY)
def test_fields_are_the_parameters_and_give_an_equal_extractor_back(name: str) -> None:
    extractor = make(name, {"dimensions": 8} if name.startswith("embedding") else {})
    again = make(name, asdict(extractor))  # type: ignore[call-overload]
    assert again == extractor and hash(again) == hash(extractor)
    assert extractor.kind in ("text", "vector", "image") and extractor.bit_count % 8 == 0
