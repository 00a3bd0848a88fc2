"""What is connected with an item by edges: its component, whose earliest member is its head by that rule."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from parity.explain.side import Side
from shared.stored import Place, Strength

MOST_MEMBERS = 10_000  # that are followed, of all the components asked for


@dataclass(frozen=True)
class Component:
    """The members that an item is connected with, itself among them. whole: False where not all were
    followed."""

    members: frozenset[str]
    whole: bool

    def place(
        self, item: str, keys: Mapping[str, bytes], edges: Mapping[str, Mapping[str, Strength]]
    ) -> Place | None:
        """Where an item of it should be: with the earliest, by its own edge with that one if it has any.

        keys: priority keys of members that are indexed. None where it cannot be told.
        """
        known = [member for member in self.members if member in keys]
        if not self.whole or item not in keys:
            return None
        head = min(known, key=keys.__getitem__)
        return Place(head, edges.get(item, {}).get(head))


def components(side: Side, ids: Collection[str]) -> dict[str, Component]:
    """The component of each of these ids."""
    near = side.linked(ids, MOST_MEMBERS)
    of: dict[str, Component] = {}
    wanted = set(ids)
    for item in ids:
        if item not in of:
            members = _reached(item, near)
            component = Component(frozenset(members), members <= near.keys())
            of |= dict.fromkeys(members & wanted, component)
    return of


def _reached(item: str, near: Mapping[str, set[str]]) -> set[str]:
    members, front = {item}, {item}
    while front:
        front = {other for one in front for other in near.get(one, ())} - members
        members |= front
    return members
