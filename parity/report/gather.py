"""Read what the page shows beside the result: from both runs, in bounded memory, and from the lake."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from parity.regrouping import ClusterComparison, Regrouping
from parity.report.distributions import lags, read_items, similarities, sizes
from parity.report.links import links, shown_bridges
from parity.report.material import (
    About,
    Counts,
    Link,
    Material,
    Shown,
    ShownCluster,
    ShownClusters,
    ShownGroup,
)
from parity.report.members import CLUSTERS, Chosen, choose
from parity.report.payloads import Payload, Record, read_payloads
from parity.report.reading import rows_of
from parity.result import Result
from shared.run import Run

GROUPS = 30  # regroupings shown

Payloads = Mapping[str, Payload]  # by id


def gather(a: Run, b: Run, result: Result, lake: Path | None) -> Material:
    """lake: where the payloads are; None where there is none, and then the page has no pictures.

    Reads the items, edges and clusters of both runs a few times, and of the lake the records of the items
    that are shown. Memory: what cluster_sizes needs, and what is shown. Raises SourceError where a file of
    a run or the lake cannot be read.
    """
    about_a, about_b = read_items(a), read_items(b)
    return Material(
        spec=str(a.manifest["spec"].get("name", "")),
        about=(_about(a, about_a.statuses), _about(b, about_b.statuses)),
        histograms=(*similarities(a, b), sizes(a, b), lags(about_a, about_b)),
        clusters=shown_clusters(a, b, result.clusters, lake, result.why_no_lake),
    )


def shown_clusters(
    a: Run, b: Run, found: ClusterComparison | None, lake: Path | None, why_no_lake: str
) -> ShownClusters:
    """The first GROUPS regroupings with some of their members."""
    regroupings = found.regroupings[:GROUPS] if found else ()
    return ShownClusters(
        groups=tuple(_groups(a, b, regroupings, lake)) if regroupings else (),
        rules=(_rules(a), _rules(b)),
        no_payloads="" if lake else why_no_lake or "neither run names a lake (give --lake)",
    )


def _rules(run: Run) -> Mapping[str, str]:
    return {channel["name"]: channel["match"]["rule"] for channel in run.manifest["contract"]["channels"]}


def _about(run: Run, statuses: Counts) -> About:
    dead = run.manifest["counts"]["dead_letters"]
    return About(run.manifest["written_at_ms"], statuses, tuple(sorted(dead.items())))


def _groups(a: Run, b: Run, regroupings: Sequence[Regrouping], lake: Path | None) -> Iterator[ShownGroup]:
    of_a, of_b = choose(a, b, regroupings)
    bridges = [bridge for group in regroupings for bridge in shown_bridges(group)]
    ends = {end for bridge in bridges for end in (bridge.id, bridge.earlier) if end is not None}
    in_a, in_b = payloads_of(a, b, _ids(of_a) | _ids(of_b) | ends, lake)
    found = links(a, "A", bridges, in_a) | links(b, "B", bridges, in_b)
    for group in regroupings:
        heads = (group.clusters_a[:CLUSTERS], group.clusters_b[:CLUSTERS])
        labels_a, labels_b = (
            {head: f"{side}{i}" for i, (head, _) in enumerate(own, 1)}
            for side, own in zip("AB", heads, strict=True)
        )
        joined: list[Link] = [found[bridge] for bridge in shown_bridges(group)]
        yield ShownGroup(
            regrouping=group,
            a=tuple(_clusters(heads[0], labels_a, labels_b, of_a, in_a)),
            b=tuple(_clusters(heads[1], labels_b, labels_a, of_b, in_b)),
            links=tuple(joined),
        )


def _clusters(
    heads: Sequence[tuple[str, int]],
    labels: Mapping[str, str],
    others: Mapping[str, str],
    chosen: Chosen,
    payloads: Payloads,
) -> Iterator[ShownCluster]:
    """others: labels of the other side's clusters, by head."""
    for head, size in heads:
        members = (
            Shown(member, _elsewhere(chosen, others, member.id), payloads.get(member.id, Payload()))
            for member in chosen.members.get(head, ())
        )
        yield ShownCluster(labels[head], head, size, tuple(members))


def _elsewhere(chosen: Chosen, others: Mapping[str, str], item: str) -> str:
    return others.get(chosen.elsewhere[item], "other") if item in chosen.elsewhere else ""


def _ids(chosen: Chosen) -> set[str]:
    return {member.id for own in chosen.members.values() for member in own}


def payloads_of(a: Run, b: Run, ids: Collection[str], lake: Path | None) -> tuple[Payloads, Payloads]:
    """What the items hold in A and in B: the events may not be the same."""
    if lake is None:
        return {}, {}
    limit = max(run.spec.limits.payload_bytes for run in (a, b))
    rows = [_records(run, ids) for run in (a, b)]
    found = read_payloads(lake, {record for side in rows for record in side.values()}, limit)
    in_a, in_b = ({item: found[record] for item, record in side.items()} for side in rows)
    return in_a, in_b


def _records(run: Run, ids: Collection[str]) -> dict[str, Record]:
    columns = ["id", "status", "digest", "partition", "offset"]
    return {row["id"]: Record(**row) for row in rows_of(run, "items", ids, columns)}
