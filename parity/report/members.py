"""The clusters that differ, with some members of each: those that tell most."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity.clusters import Member
from parity.regrouping import Regrouping
from parity.report.reading import rows_of
from parity.rows import rows_with
from shared.run import Run

CLUSTERS = 4  # shown of one regrouping on either side
MEMBERS = 12  # of one cluster

_COLUMNS = ["id", "head", "channel", "numerator", "denominator"]


@dataclass(frozen=True)
class Chosen:
    """members: by head, the first as they are to be shown. elsewhere: their heads in the other run, by id."""

    members: Mapping[str, Sequence[Member]]
    elsewhere: Mapping[str, str]


def choose(a: Run, b: Run, groups: Sequence[Regrouping]) -> tuple[Chosen, Chosen]:
    """Of A and of B. Reads the clusters of both twice. Memory: of each cluster a few times MEMBERS rows."""
    telling = {item for group in groups for item in _telling(group)}
    of_a = _members(a, [head for group in groups for head, _ in group.clusters_a[:CLUSTERS]], telling)
    of_b = _members(b, [head for group in groups for head, _ in group.clusters_b[:CLUSTERS]], telling)
    return Chosen(of_a, _heads(b, of_a)), Chosen(of_b, _heads(a, of_b))


def _telling(group: Regrouping) -> Iterator[str]:
    """The ids for whose sake the clusters are shown: what moved, and what joined them."""
    yield from group.ids
    for bridge in group.bridges:
        yield bridge.id
        if bridge.earlier is not None:
            yield bridge.earlier


def _members(run: Run, heads: Collection[str], telling: Collection[str]) -> dict[str, list[Member]]:
    """head -> the head, then what tells most, then the strongest, then by id."""
    order = {channel["name"]: i for i, channel in enumerate(run.manifest["contract"]["channels"])}

    def place(member: Member, head: str) -> tuple[Any, ...]:
        channel = order.get(member.channel, len(order))
        return (member.id != head, member.id not in telling, channel, -member.ratio, member.id)

    found: dict[str, list[Member]] = defaultdict(list)
    batches = rows_with(run, "clusters", "head", heads, _COLUMNS)
    for row in (row for batch in batches for row in batch.to_pylist()):
        own = found[row["head"]]
        own.append(Member(row["id"], row["channel"], row["numerator"], row["denominator"]))
        if len(own) >= 8 * MEMBERS:
            own.sort(key=lambda member: place(member, row["head"]))
            del own[MEMBERS:]
    return {
        head: sorted(own, key=lambda member: place(member, head))[:MEMBERS] for head, own in found.items()
    }


def _heads(run: Run, members: Mapping[str, Sequence[Member]]) -> dict[str, str]:
    ids = {member.id for own in members.values() for member in own}
    return {row["id"]: row["head"] for row in rows_of(run, "clusters", ids, ["id", "head"])}
