"""What of the demo's variants was found, and by which channel. A picture's id is ORIGINAL/VARIANT.jpg."""

from collections import Counter
from dataclasses import dataclass

from cli.demo_variants import VARIANTS
from shared.run import Run


@dataclass(frozen=True)
class Found:
    """Of one kind of variant, where neither it nor its original was deleted.

    pictures: how many. together: of them in the cluster of their original. edges: channel -> of them with an
    edge of that channel to their original; an edge is of the first channel that accepts.
    """

    pictures: int
    together: int
    edges: dict[str, int]


def edges_by_channel(run: Run) -> dict[str, int]:
    """channel -> edges, in the spec's order."""
    counts = Counter(run.read("edges", columns=["channel"]).column("channel").to_pylist())
    return {name: counts[name] for name in channels(run)}


def found_by_variant(run: Run) -> dict[str, Found]:
    """variant -> what was found of it."""
    clusters = run.read("clusters", columns=["id", "head"]).to_pydict()
    head_of = dict(zip(clusters["id"], clusters["head"], strict=True))
    edges = run.read("edges", columns=["earlier", "later", "channel"]).to_pydict()
    ends = zip(edges["earlier"], edges["later"], strict=True)
    channel_of = dict(zip(map(frozenset, ends), edges["channel"], strict=True))
    return {variant: _found(run, variant, head_of, channel_of) for variant in VARIANTS}


def channels(run: Run) -> list[str]:
    return [channel["name"] for channel in run.manifest["spec"]["channels"]]


def _found(run: Run, variant: str, head_of: dict[str, str], channel_of: dict[frozenset[str], str]) -> Found:
    folders = [name.removesuffix("original.jpg") for name in head_of if name.endswith("/original.jpg")]
    pairs = [(f"{folder}original.jpg", f"{folder}{variant}.jpg") for folder in folders]
    pairs = [pair for pair in pairs if pair[1] in head_of]
    by_channel = Counter(channel_of.get(frozenset(pair)) for pair in pairs)
    return Found(
        pictures=len(pairs),
        together=sum(head_of[original] == head_of[other] for original, other in pairs),
        edges={name: by_channel[name] for name in channels(run)},
    )
