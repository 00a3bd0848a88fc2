"""What a micro-batch changed in the clusters: the records of the topic `clusters`, and the sizes in them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from shared.heads import key_id
from shared.spec import Spec
from stream import state
from stream.index import Index
from stream.state import NO_CHANNEL, Match
from stream.stores.protocol import Reader

Clusters = dict[bytes, Match | None]


@dataclass(frozen=True)
class ClusterChange:
    """What `clusters` says of one id. `head` is None where the id is in no cluster any more.

    kind: new (a cluster of its own), joined, moved (to another head), became_head, updated (same head;
    strength, version or size is another), left (no longer usable, or too old), deleted.
    match: the strength; of a head none. size: of a head the number of members, itself included.
    """

    id: bytes
    kind: str
    head: bytes | None = None
    match: Match | None = None
    size: int | None = None
    version_time: int | None = None

    def is_said_by(self, published: dict[str, Any] | None, spec: Spec) -> bool:
        """Whether a record that a reader has seen (its JSON) says the same, whatever its kind."""
        value = self.value(spec)
        if value is None or published is None:
            return False
        return bool(published == orjson.loads(value) | {"kind": published["kind"]})

    def value(self, spec: Spec) -> bytes | None:
        """The record's value as JSON; a tombstone where there is no head."""
        if self.head is None or self.match is None:
            return None
        fields: dict[str, Any] = {"id": self.id.decode(), "head": self.head.decode(), "kind": self.kind}
        if self.match.channel != NO_CHANNEL:
            strength = {"numerator": self.match.numerator, "denominator": self.match.denominator}
            fields |= {"channel": spec.channels[self.match.channel].name, **strength}
        if self.size is not None:
            fields |= {"size": self.size}
        return orjson.dumps(fields | {"version_time": self.version_time})


def cluster_changes(index: Index, store: Reader) -> list[ClusterChange]:
    """How the index's overlay differs from the store, by id. Brings `members` up to date on the way."""
    touched = list(index.state.changes["clusters"])
    before = _clusters(store.get_many("clusters", touched), touched)
    after = _clusters(index.state.get_many("clusters", touched), touched)
    sizes = _resize(index, before, after)
    resized = [head for head in sizes if head not in after]
    unchanged = _clusters(index.state.get_many("clusters", resized), resized)
    before |= unchanged
    after |= unchanged
    return sorted(_differences(index, store, before, after, sizes), key=lambda change: change.id)


def snapshot(spec: Spec, store: Reader) -> Iterator[ClusterChange]:
    """The whole clustering as changes, for a topic that has lost track of it."""
    for item, value in store.scan("clusters"):
        match = state.unpack_matches(value)[0]
        is_head = key_id(match.other) == item[1:]
        members, row = store.get_many("members", [item])[0], store.get_many("items", [item])[0]
        assert row is not None
        kind = "new" if is_head else "joined"
        size = int.from_bytes(members, "big") if is_head and members else None
        yield ClusterChange(
            item[1:], kind, key_id(match.other), match, size, state.unpack_item(row).version_time
        )


def _clusters(values: list[bytes | None], keys: list[bytes]) -> Clusters:
    return {
        key: state.unpack_matches(value)[0] if value else None
        for key, value in zip(keys, values, strict=True)
    }


def _resize(index: Index, before: Clusters, after: Clusters) -> dict[bytes, int]:
    """item key of each head whose cluster gained or lost members -> its size now."""
    delta: Counter[bytes] = Counter()
    for clusters, sign in ((before, -1), (after, 1)):
        heads = [match.other for match in clusters.values() if match is not None]
        for head in index.item_keys(heads):
            delta[head] += sign
    heads = [head for head, change in delta.items() if change]
    sizes = {}
    for head, value in zip(heads, index.state.get_many("members", heads), strict=True):
        size = int.from_bytes(value or b"", "big") + delta[head]
        index.state.put("members", head, size.to_bytes(8, "big") if size else None)
        sizes[head] = size
    return {head: size for head, size in sizes.items() if size}


def _differences(
    index: Index, store: Reader, before: Clusters, after: Clusters, sizes: dict[bytes, int]
) -> Iterator[ClusterChange]:
    keys = list(after)
    old_rows, new_rows = store.get_many("items", keys), index.state.get_many("items", keys)
    for item, old_row, new_row in zip(keys, old_rows, new_rows, strict=True):
        old, new, name = before[item], after[item], item[1:]
        row = state.unpack_item(new_row) if new_row else None
        if new is None:
            if old is not None:
                yield ClusterChange(name, "deleted" if row and row.op == "delete" else "left")
            continue
        assert row is not None  # whatever is in a cluster has a row
        head = key_id(new.other)
        if old is None:
            kind = "new" if head == name else "joined"
        elif key_id(old.other) != head:
            kind = "became_head" if head == name else "moved"
        else:
            was = state.unpack_item(old_row).version_time if old_row else None
            strength = (old.channel, old.numerator, old.denominator) == (
                new.channel,
                new.numerator,
                new.denominator,
            )
            if strength and was == row.version_time and item not in sizes:
                continue
            kind = "updated"
        size = sizes.get(item) if head == name else None
        if head == name and size is None:
            size = int.from_bytes(index.state.get("members", item) or b"", "big")
        yield ClusterChange(name, kind, head, new, size, row.version_time)
