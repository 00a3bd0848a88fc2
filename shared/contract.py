"""The contract: what two artefacts must have in common before they may be compared or mixed."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson

from shared import minhash
from shared.errors import ContractError, SpecError
from shared.extractors import REGISTRY
from shared.shape import shown
from shared.spec import Channel, Spec, from_dict

# Raised by hand whenever the code gives another result for an unchanged spec.
SEMANTICS_VERSION = 1


def contract(spec: Spec) -> dict[str, Any]:
    """Everything that changes a result, as plain JSON values. Flat enough to be shown as a table."""
    return {
        "semantics": SEMANTICS_VERSION,
        "times": asdict(spec.times),
        "limits": _limits(spec),
        "clusters": asdict(spec.clusters),
        "channels": [_channel(channel) for channel in spec.channels],
    }


def _limits(spec: Spec) -> dict[str, int]:
    """Those that can change a result of this kind of payload."""
    limits = asdict(spec.limits)
    return limits if spec.kind == "image" else {"payload_bytes": limits["payload_bytes"]}


def _channel(channel: Channel) -> dict[str, Any]:
    parameters = asdict(channel.extractor) | dict(channel.extractor.contents)  # type: ignore[call-overload]
    match = asdict(channel.match)
    if match["min_inliers"] is None:  # younger than the contracts of the other rules
        del match["min_inliers"]
    if channel.match.threshold is not None:  # "0.7" and "0.70" are one threshold
        match["threshold"] = str(channel.match.fraction)
    return {
        "name": channel.name,
        "extractor": channel.extractor_name,
        "parameters": parameters,
        "unicode": unicodedata.unidata_version if channel.extractor.kind == "text" else None,
        "token_hash": "xxh64/42",
        "minhash": {
            "scheme": minhash.SCHEME,
            **asdict(channel.minhash),
            "permutations_digest": minhash.permutations_digest(
                channel.minhash.permutations, channel.minhash.seed
            ),
        },
        "bands": asdict(channel.bands),
        "draws": asdict(channel.draws),
        "match": match,
    }


def contract_id(spec: Spec) -> str:
    """32 hex digits that stand for everything in this spec that changes a result."""
    return id_of(contract(spec))


def id_of(contract: dict[str, Any]) -> str:
    """The id of a contract as `contract` gives it: 32 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(orjson.dumps(contract, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def require_spec(stated: dict[str, Any], data: dict[str, Any]) -> None:
    """Raise SpecError unless `data`, as `to_dict` gives a spec, is one that gives this contract.

    What comes from where a contract was made and not from its spec is taken as stated: the semantics of the
    code, the version of Unicode, and a codebook with its arithmetic, so that runs may be compared where
    their codebook is not.
    """
    spec = from_dict(_without_codebooks(data))
    channels = stated.get("channels")
    said = channels if isinstance(channels, list) and len(channels) == len(spec.channels) else []
    derived = contract(spec) | _stated(stated, ("semantics",), int)
    for own, channel, other in zip(derived["channels"], spec.channels, said, strict=False):
        if isinstance(other, dict):
            own.update(_stated(other, ("unicode",) if own["unicode"] else (), str))
            own["parameters"].update(_stated(other.get("parameters"), channel.extractor.contents, str))
    if found := differences(stated, derived):
        rows = "; ".join(f"{path}: {shown(x)} against {shown(y)}" for path, x, y in found[:4])
        raise SpecError(f"its spec is not the one that its contract stands for ({rows})")


def _without_codebooks(data: dict[str, Any]) -> dict[str, Any]:
    """The spec's document with the codebook that ships with crossfade, which is wherever crossfade is."""

    def shipped(channel: Any) -> Any:
        parameters = channel.get("parameters") if isinstance(channel, dict) else None
        if not isinstance(parameters, dict) or not isinstance(parameters.get("codebook"), str):
            return channel
        if not hasattr(REGISTRY.get(str(channel.get("extractor"))), "codebook"):
            return channel
        return channel | {"parameters": {k: v for k, v in parameters.items() if k != "codebook"}}

    channels = data.get("channels")
    return data | {"channels": list(map(shipped, channels))} if isinstance(channels, list) else data


def _stated(found: Any, names: Iterable[str], wanted: type) -> dict[str, Any]:
    """Of an object the members of these names that are of this type."""
    return {n: found[n] for n in names if type(found.get(n)) is wanted} if isinstance(found, dict) else {}


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, value in a, value in b) of every field that differs, sorted by path."""
    left, right = flat(a), flat(b)
    return [(k, left.get(k), right.get(k)) for k in sorted(left | right) if left.get(k) != right.get(k)]


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """A contract's fields by path, such as `channels[0].bands.rows`."""
    if isinstance(value, dict):
        entries = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list):
        entries = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {key: leaf for child, item in entries for key, leaf in flat(item, child).items()}


def require_equal(
    a_name: str, a: dict[str, Any], a_id: str, b_name: str, b: dict[str, Any], b_id: str
) -> None:
    """Raise ContractError with both ids and the fields that differ, unless the ids are equal."""
    if a_id == b_id:
        return
    rows = "; ".join(f"{path}: {x!r} against {y!r}" for path, x, y in differences(a, b)[:8])
    raise ContractError(
        f"{a_name} has contract {a_id} and {b_name} has {b_id}; they cannot be mixed or compared. "
        f"They differ in: {rows or 'nothing shown here (made by another version)'}"
    )
