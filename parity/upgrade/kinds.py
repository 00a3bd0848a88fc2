"""Which channels of two specs look at the same features, and by what a pair of them is judged exactly."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from shared.run import Run
from shared.spec import Channel

# What the features are made of, by match rule, and how a pair of them is judged. `agreement` is an estimate
# of what the tokens say exactly.
_WHAT = {"jaccard": "tokens", "agreement": "tokens", "hamming": "bits", "inliers": "points"}
JUDGED_BY = {"tokens": "Jaccard of the tokens", "bits": "share of equal bits", "points": "inliers"}
A, B = 0, 1  # the sides


@dataclass(frozen=True)
class Kind:
    """Channels of A and of B with one extractor and its parameters, and so with equal features."""

    name: str
    what: str
    channels: tuple[tuple[Channel, ...], tuple[Channel, ...]]

    @property
    def extractor(self) -> str:
        return next(channel.extractor_name for side in self.channels for channel in side)

    def records(self, side: int) -> str | None:
        """The channel of a side whose verification records hold the features; None where none does."""
        return next((c.name for c in self.channels[side] if c.match.rule != "agreement"), None)

    def rows(self, side: int) -> str | None:
        """The channel of a side whose rows say which items have features there; None where it has none."""
        return self.records(side) or next((c.name for c in self.channels[side]), None)

    @property
    def judged_by(self) -> str:
        """ "" where no run has what would judge it: their verification records are empty."""
        return JUDGED_BY[self.what] if self.records(A) or self.records(B) else ""


def kinds_of(a: Run, b: Run) -> tuple[Kind, ...]:
    """Those of B's spec in its order, then those that A's alone has."""
    found: dict[bytes, tuple[list[Channel], list[Channel]]] = {}
    for side, run in ((B, b), (A, a)):
        spec = run.spec
        for channel, said in zip(spec.channels, run.manifest["contract"]["channels"], strict=True):
            key = _features(run, channel, said)
            found.setdefault(key, ([], []))[side].append(channel)
    names_b = {channel.name for _, of_b in found.values() for channel in of_b}
    return tuple(_kind(of_a, of_b, names_b) for of_a, of_b in found.values())


def rule_text(channel: Channel) -> str:
    """Such as "jaccard >= 0.7", with what it asks of the sketch."""
    match, bits = channel.match, channel.extractor.bit_count
    asks = f", {match.min_agreeing_bands} bands" if match.min_agreeing_bands else ""
    if match.max_distance is not None:
        return f"distance <= {match.max_distance} of {bits}{asks}"
    limit = match.threshold if match.min_inliers is None else match.min_inliers
    return f"{match.rule} >= {limit}{asks}"


def _features(run: Run, channel: Channel, said: dict[str, Any]) -> bytes:
    """Equal where two channels give an item equal features: by the contract, which has all that matters."""
    names = ("extractor", "parameters", "unicode", "token_hash")
    parts = {name: said.get(name) for name in names}
    parts |= {"what": _WHAT[channel.match.rule], "semantics": run.manifest["contract"].get("semantics")}
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)


def _kind(of_a: list[Channel], of_b: list[Channel], names_b: Collection[str]) -> Kind:
    """With the name of its first channel; A's, where B has another channel of that name, as such."""
    first = (of_b or of_a)[0]
    name = first.name if of_b or first.name not in names_b else f"{first.name} (A)"
    return Kind(name, _WHAT[first.match.rule], (tuple(of_a), tuple(of_b)))
