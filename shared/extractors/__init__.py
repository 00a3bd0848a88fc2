"""The extractors by name, and one strict way to make them from a spec's parameters."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

from shared.errors import SpecError
from shared.extractors.hyperplanes import Hyperplanes
from shared.extractors.pdq import Pdq
from shared.extractors.protocol import Extraction, Extractor
from shared.extractors.text import Shingles
from shared.extractors.words import VisualWords, WordPairs

__all__ = ["REGISTRY", "Extraction", "Extractor", "make"]

REGISTRY: Mapping[str, type[Any]] = MappingProxyType(
    {
        "text.shingles": Shingles,
        "image.pdq": Pdq,
        "image.words": VisualWords,
        "image.word_pairs": WordPairs,
        "embedding.hyperplanes": Hyperplanes,
    }
)


def make(name: str, parameters: Mapping[str, object]) -> Extractor:
    """The extractor of that name. SpecError names the parameter that is unknown, missing or wrong."""
    if name not in REGISTRY:
        raise SpecError(f"extractor {name!r} does not exist; it must be one of {', '.join(sorted(REGISTRY))}")
    known = {field.name: field for field in fields(REGISTRY[name])}
    for key, value in parameters.items():
        if key not in known:
            raise SpecError(f"{name} has no parameter {key!r}; it takes {', '.join(known)}")
        if type(value) is not known[key].type:  # bool is an int to isinstance
            wanted = getattr(known[key].type, "__name__", known[key].type)
            raise SpecError(f"{name}: {key} is {value!r}; it must be of type {wanted}")
    for key, field in known.items():
        if field.default is MISSING and key not in parameters:
            raise SpecError(f"{name} needs the parameter {key!r}")
    try:
        extractor: Extractor = REGISTRY[name](**parameters)
    except SpecError as error:
        raise SpecError(f"{name}: {error}") from None
    return extractor
