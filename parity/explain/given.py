"""What the items' signatures give, whatever an engine did: bucket entries and, from all signatures, draws."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa

from parity.explain.draws import Members, drawn
from parity.explain.side import Side
from shared.spec import Spec
from shared.stored import Entry, Event, Piece, bucket_entries


def entries_given(
    spec: Spec, events: Mapping[str, Event], pieces: Mapping[str, Sequence[Piece]]
) -> dict[str, Sequence[Entry]]:
    """id -> the bucket entries that its signatures give, for these events that are indexed."""
    indexed = (item for item, event in events.items() if event.indexed and item in pieces)
    return {item: bucket_entries(spec, pieces[item]) for item in indexed}


def drawn_given(
    side: Side,
    events: Mapping[str, Event],
    entries: Mapping[str, Sequence[Entry]],
    others: Mapping[str, Event] | None = None,
) -> dict[str, set[str]]:
    """id -> whom it draws, for all with entries. Of a run it reads all signatures.

    others: what the events of some ids, which are among these, are taken to be instead: in their buckets they
    stand at other places.
    """
    others = others or {}
    read = side.members({entry for own in entries.values() for entry in own})
    moved: dict[Entry, dict[bytes, bytes]] = defaultdict(dict)
    for item in others.keys() & entries.keys():
        for entry in entries[item]:
            moved[entry][events[item].key(item)] = others[item].key(item)
    for entry, keys in moved.items():
        read[entry] = pa.array(sorted(keys.get(key, key) for key in read[entry].to_pylist()), pa.binary())
    members = {entry: Members(found) for entry, found in read.items()}
    keys_of = {item: others.get(item, events[item]).key(item) for item in entries}
    return {item: drawn(side.about.spec, keys_of[item], own, members) for item, own in entries.items()}
