"""What the items' signatures give, whatever an engine did: bucket entries and, from all signatures, draws."""

from collections.abc import Mapping, Sequence

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
    side: Side, events: Mapping[str, Event], entries: Mapping[str, Sequence[Entry]]
) -> dict[str, set[str]]:
    """id -> whom it draws, for all with entries. Of a run it reads all signatures."""
    read = side.members({entry for own in entries.values() for entry in own})
    members = {entry: Members(found) for entry, found in read.items()}
    return {
        item: drawn(side.about.spec, events[item].key(item), own, members) for item, own in entries.items()
    }
