"""What a page needs beside its result: read from the runs and the lake by `gather`, then frozen."""

from collections.abc import Mapping
from dataclasses import dataclass

from parity.bridges import Bridge
from parity.clusters import Member
from parity.regrouping import Regrouping
from parity.report.histogram import Histogram
from parity.report.payloads import Payload

Counts = tuple[tuple[str, int], ...]
Line = tuple[float, float, float, float]


@dataclass(frozen=True)
class About:
    """One run. written_at_ms: since 1970. statuses, dead_letters: how many items and records, by name."""

    written_at_ms: int
    statuses: Counts
    dead_letters: Counts


@dataclass(frozen=True)
class Shown:
    """A member of a cluster. elsewhere: the label of its cluster on the other side, "other" if that is not
    shown, "" if it is on this side only."""

    member: Member
    elsewhere: str
    payload: Payload


@dataclass(frozen=True)
class ShownCluster:
    """label: such as A1. size: of all its members."""

    label: str
    head: str
    size: int
    members: tuple[Shown, ...]


@dataclass(frozen=True)
class Link:
    """What joined clusters. match: (channel, numerator, denominator) of an edge.

    earlier, later: what the ends hold. lines: x, y in the earlier's picture and in the later's
    (parity/matched.py), where both are shown and the channel has points.
    """

    bridge: Bridge
    match: tuple[str, int, int] | None
    earlier: Payload
    later: Payload
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class ShownGroup:
    """A regrouping with some of its clusters on each side."""

    regrouping: Regrouping
    a: tuple[ShownCluster, ...]
    b: tuple[ShownCluster, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class ShownClusters:
    """groups: the first regroupings. rules: match rule by channel, in A and in B. no_payloads: why neither
    pictures nor texts are shown."""

    groups: tuple[ShownGroup, ...]
    rules: tuple[Mapping[str, str], Mapping[str, str]]
    no_payloads: str = ""


@dataclass(frozen=True)
class Material:
    spec: str
    about: tuple[About, About]
    histograms: tuple[Histogram, ...]
    clusters: ShownClusters
