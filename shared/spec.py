"""The spec: everything that changes a result, read from TOML into frozen dataclasses.

A spec is named by a preset (`text`, `photos-small`, `photos-large`, `embeddings`) or by a path.
`shared/contract.py` derives its id.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from fractions import Fraction
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

from shared.errors import SpecError
from shared.extractors import make
from shared.extractors.protocol import Extractor

CLUSTER_RULES = ("heads", "components")
MATCH_SETTINGS = {  # what each rule is told
    "jaccard": "threshold",
    "agreement": "threshold",
    "hamming": "max_distance",
    "inliers": "min_inliers",
}
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?")
LIMIT = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(\.[0-9]{1,9})?%")


@dataclass(frozen=True)
class Times:
    """Limits on what one record's times can do, in milliseconds; None = off."""

    max_skew_ms: int | None = None
    max_lateness_ms: int | None = None
    retention_ms: int | None = None

    @property
    def need_append_time(self) -> bool:
        return self.max_skew_ms is not None or self.max_lateness_ms is not None


@dataclass(frozen=True)
class Limits:
    """Payloads beyond these get an error status. Bytes and pixels, never seconds."""

    payload_bytes: int = 32 * 2**20
    image_pixels: int = 100_000_000


@dataclass(frozen=True)
class Clusters:
    rule: str = "heads"


@dataclass(frozen=True)
class MinHash:
    """Number of 32-bit values a signature has, and the seed of datasketch's permutations."""

    permutations: int
    seed: int = 1


@dataclass(frozen=True)
class Bands:
    count: int
    rows: int


@dataclass(frozen=True)
class Draws:
    """How many earlier members of a bucket an item is compared with: the first and the nearest."""

    first: int
    near: int


@dataclass(frozen=True)
class Match:
    """`threshold` is a decimal string; `max_distance` counts bits, `min_inliers` matched features."""

    rule: str
    threshold: str | None = None
    max_distance: int | None = None
    min_inliers: int | None = None
    min_agreeing_bands: int = 0

    @property
    def fraction(self) -> Fraction:
        """The threshold as an exact fraction in (0, 1]."""
        return Fraction(self.threshold or "1")


@dataclass(frozen=True)
class Channel:
    name: str
    extractor: Extractor
    extractor_name: str
    minhash: MinHash
    bands: Bands
    draws: Draws
    match: Match


GATES = ("missing", "extra", "wrong", "late", "known", "uncovered")  # classes of differences
Limit = tuple[str, int | str]  # class, differences: a number, or a share of the items such as "0.01%"


@dataclass(frozen=True)
class Spec:
    name: str
    channels: tuple[Channel, ...]
    times: Times = field(default_factory=Times)
    limits: Limits = field(default_factory=Limits)
    clusters: Clusters = field(default_factory=Clusters)
    gates: tuple[Limit, ...] = ()  # how many differences `diff` tolerates; no part of the contract

    @property
    def kind(self) -> str:
        """The payload kind that all channels take: text, vector or image."""
        return self.channels[0].extractor.kind


def preset_names() -> list[str]:
    folder = resources.files("shared") / "presets"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load(name_or_path: str) -> Spec:
    """A preset by name or a TOML file by path. Raises SpecError."""
    if name_or_path in preset_names():
        text = (resources.files("shared") / "presets" / f"{name_or_path}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name_or_path).read_text("utf-8")
        except (OSError, ValueError) as error:  # no UTF-8, or a name with a null byte
            presets = ", ".join(preset_names())
            raise SpecError(
                f"spec {name_or_path!r} is neither a preset ({presets}) nor a readable file: {error}"
            ) from error
    try:
        return from_dict(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise SpecError(f"spec {name_or_path} is not TOML: {error}") from error
    except SpecError as error:
        raise SpecError(f"spec {name_or_path}: {error}") from error


def from_dict(data: Mapping[str, Any]) -> Spec:
    """A spec from the parsed TOML. Unknown keys, wrong types and impossible values raise SpecError."""
    _only(data, {"name", "times", "limits", "clusters", "channels", "gates", "engine"}, "the spec")
    channels = data.get("channels")
    if not isinstance(channels, list) or not channels:
        raise SpecError("[[channels]] is missing: a spec needs at least one channel")
    spec = Spec(
        name=_typed(data, "name", str, "the spec"),
        channels=tuple(_channel(entry) for entry in channels),
        times=_section(Times, data.get("times", {}), "[times]"),
        limits=_section(Limits, data.get("limits", {}), "[limits]"),
        clusters=_section(Clusters, data.get("clusters", {}), "[clusters]"),
        gates=_gates(data.get("gates", {})),
    )
    _check(spec)
    return spec


def to_dict(spec: Spec) -> dict[str, Any]:
    """The spec as `from_dict` takes it, with every default filled in; None values are left out."""

    def table(section: Any) -> dict[str, Any]:
        return {key: value for key, value in asdict(section).items() if value is not None}

    gates = {"gates": dict(spec.gates)} if spec.gates else {}
    return gates | {
        "name": spec.name,
        "times": table(spec.times),
        "limits": table(spec.limits),
        "clusters": table(spec.clusters),
        "channels": [
            {
                "name": channel.name,
                "extractor": channel.extractor_name,
                "parameters": table(channel.extractor),
                **{part: table(getattr(channel, part)) for part in ("minhash", "bands", "draws", "match")},
            }
            for channel in spec.channels
        ],
    }


def _gates(data: Any) -> tuple[Limit, ...]:
    if not isinstance(data, Mapping):
        raise SpecError("[gates] must be a table")
    _only(data, set(GATES), "[gates]")
    for name, limit in data.items():
        if not LIMIT.fullmatch(str(limit)) or isinstance(limit, bool):
            raise SpecError(f'[gates]: {name} must be a number of differences or a share such as "0.01%"')
    return tuple(data.items())


def _channel(data: Any) -> Channel:
    where = "[[channels]]"
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} must be a table")
    _only(data, {"name", "extractor", "parameters", "minhash", "bands", "draws", "match"}, where)
    name = _typed(data, "name", str, where)
    where = f"channel {name!r}"
    extractor_name = _typed(data, "extractor", str, where)
    parameters = data.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise SpecError(f"{where}: parameters must be a table")
    try:
        extractor = make(extractor_name, parameters)
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from error
    channel = Channel(
        name=name,
        extractor=extractor,
        extractor_name=extractor_name,
        minhash=_section(MinHash, data.get("minhash"), f"{where}: minhash"),
        bands=_section(Bands, data.get("bands"), f"{where}: bands"),
        draws=_section(Draws, data.get("draws"), f"{where}: draws"),
        match=_section(Match, data.get("match"), f"{where}: match"),
    )
    _check_channel(channel, where)
    return channel


def _check_channel(channel: Channel, where: str) -> None:
    minhash, bands, draws, match = channel.minhash, channel.bands, channel.draws, channel.match
    _between(minhash.permutations, 1, 4096, f"{where}: minhash.permutations")
    _between(minhash.seed, 0, 2**32 - 1, f"{where}: minhash.seed")
    _between(bands.count, 1, 4096, f"{where}: bands.count")
    _between(bands.rows, 1, 4096, f"{where}: bands.rows")
    if bands.count * bands.rows > minhash.permutations:
        raise SpecError(
            f"{where}: {bands.count} bands of {bands.rows} rows need {bands.count * bands.rows} "
            f"permutations; minhash.permutations is {minhash.permutations}"
        )
    _between(draws.first, 0, 1024, f"{where}: draws.first")
    _between(draws.near, 0, 1024, f"{where}: draws.near")
    _between(match.min_agreeing_bands, 0, bands.count, f"{where}: match.min_agreeing_bands")
    if match.rule not in MATCH_SETTINGS:
        raise SpecError(
            f"{where}: match.rule is {match.rule!r}; it must be one of {', '.join(MATCH_SETTINGS)}"
        )
    bits = channel.extractor.bit_count
    if match.rule == "hamming" and not bits:
        raise SpecError(
            f"{where}: match.rule hamming needs bits, which {channel.extractor_name} does not give"
        )
    if match.rule == "inliers" and not channel.extractor.has_geometry:
        raise SpecError(
            f"{where}: match.rule inliers needs local features, which {channel.extractor_name} does not give"
        )
    wanted = MATCH_SETTINGS[match.rule]
    for name in dict.fromkeys(MATCH_SETTINGS.values()):
        if (getattr(match, name) is not None) != (name == wanted):
            raise SpecError(
                f"{where}: match.rule {match.rule} takes {wanted}; {name} is {getattr(match, name)}"
            )
    if match.max_distance is not None:
        _between(match.max_distance, 0, bits - 1, f"{where}: match.max_distance")
    elif match.min_inliers is not None:
        _between(match.min_inliers, 4, 1000, f"{where}: match.min_inliers")
    else:
        _check_threshold(match, where)


def _check_threshold(match: Match, where: str) -> None:
    assert match.threshold is not None
    if not _DECIMAL.fullmatch(match.threshold):  # Fraction takes 7/10 too, and would hang on 1e-400000000
        raise SpecError(f'{where}: match.threshold {match.threshold!r} is not a decimal such as "0.7"')
    fraction = match.fraction
    if not 0 < fraction <= 1 or fraction.denominator > 10**9:
        raise SpecError(
            f"{where}: match.threshold {match.threshold!r} must be above 0, at most 1, to 9 decimals"
        )


def _check(spec: Spec) -> None:
    names = [channel.name for channel in spec.channels]
    if len(set(names)) != len(names) or "" in names:
        raise SpecError(f"channel names must be unique and not empty: {names}")
    if len(names) > 100:
        raise SpecError(f"{len(names)} channels; at most 100 are possible")
    kinds = {channel.extractor.kind for channel in spec.channels}
    if len(kinds) > 1:
        raise SpecError(f"all channels must take one kind of payload; these take {', '.join(sorted(kinds))}")
    if spec.clusters.rule not in CLUSTER_RULES:
        raise SpecError(
            f"clusters.rule is {spec.clusters.rule!r}; it must be one of {', '.join(CLUSTER_RULES)}"
        )
    for name in ("max_skew_ms", "max_lateness_ms", "retention_ms"):
        value = getattr(spec.times, name)
        if value is not None:
            _between(value, 0, 2**53, f"times.{name}")
    if spec.times.retention_ms is not None and spec.times.max_skew_ms is None:
        raise SpecError(
            "times.retention_ms requires times.max_skew_ms: one record from 2999 would expire the rest"
        )
    _between(spec.limits.payload_bytes, 1, 2**31 - 1, "limits.payload_bytes")
    _between(spec.limits.image_pixels, 1, 2**31 - 1, "limits.image_pixels")


T = TypeVar("T")


def _section(cls: type[T], data: Any, where: str) -> T:
    """A flat dataclass from a table, every value checked against the field's annotation."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} must be a table")
    allowed = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
    _only(data, set(allowed), where)
    for name, entry in allowed.items():
        if name in data:
            types = get_args(entry.type) if isinstance(entry.type, UnionType) else (entry.type,)
            if type(data[name]) not in types:
                wanted = " or ".join(t.__name__ for t in types if t is not type(None) and isinstance(t, type))
                hint = " in quotes, so that it stays exact" if isinstance(data[name], float) else ""
                raise SpecError(f"{where}: {name} is {data[name]!r}; it must be {wanted}{hint}")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise SpecError(f"{where}: {name} is missing")
    return cls(**data)


def _typed(data: Mapping[str, Any], name: str, wanted: type[T], where: str) -> T:
    if name not in data:
        raise SpecError(f"{where}: {name} is missing")
    value = data[name]
    if type(value) is not wanted:
        raise SpecError(f"{where}: {name} is {value!r}; it must be {wanted.__name__}")
    return value


def _only(data: Mapping[str, Any], allowed: set[str], where: str) -> None:
    if unknown := sorted(set(data) - allowed):
        raise SpecError(f"{where}: unknown {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}")


def _between(value: int, low: int, high: int, where: str) -> None:
    if not low <= value <= high:
        raise SpecError(f"{where} is {value}; it must be from {low} to {high}")
