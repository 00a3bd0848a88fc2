"""What joined clusters on one side alone: the edge's match, and the points that both pictures share."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from parity.bridges import Bridge
from parity.explain.features import damage
from parity.matched import Drawn, points_of, sides, size_in_units
from parity.regrouping import Regrouping
from parity.report.material import Line, Link
from parity.report.payloads import Payload
from parity.report.reading import rows_of
from parity.thumbnails import Thumbnail
from shared.run import Run
from shared.spec import Channel
from shared.stored import Piece

LINKS = 2  # shown of one regrouping, of either side

Match = tuple[str, int, int]
Edge = tuple[str, str]  # later, earlier


def shown_bridges(group: Regrouping) -> list[Bridge]:
    return [
        bridge
        for side in ("A", "B")
        for bridge in islice((bridge for bridge in group.bridges if bridge.side == side), LINKS)
    ]


def links(
    run: Run, side: str, bridges: Iterable[Bridge], payloads: Mapping[str, Payload]
) -> dict[Bridge, Link]:
    """Of the bridges of one side, which is `run`. payloads: of their ends, by id.

    Reads the edges once, and the verification records once if there are points to draw.
    """
    own = [bridge for bridge in bridges if bridge.side == side]
    matches = _matches(run, {(b.id, b.earlier) for b in own if b.earlier is not None})
    found = {
        bridge: Link(
            bridge,
            matches.get((bridge.id, bridge.earlier or "")),
            payloads.get(bridge.earlier or "", Payload()),
            payloads.get(bridge.id, Payload()),
        )
        for bridge in own
    }
    return found | dict(_with_lines(run, found.values()))


def _matches(run: Run, edges: set[Edge]) -> dict[Edge, Match]:
    columns = ["earlier", "later", "channel", "numerator", "denominator"]
    return {
        (row["later"], row["earlier"]): (row["channel"], row["numerator"], row["denominator"])
        for row in rows_of(run, "edges", {later for later, _ in edges}, columns)
        if (row["later"], row["earlier"]) in edges
    }


def _with_lines(run: Run, found: Iterable[Link]) -> Iterator[tuple[Bridge, Link]]:
    side_of = sides(run)
    drawn = [
        link
        for link in found
        if link.match and link.match[0] in side_of and link.earlier.picture and link.later.picture
    ]
    ids = {end for link in drawn for end in (link.bridge.id, link.bridge.earlier or "")}
    records = _records(run, {link.match[0] for link in drawn if link.match}, ids)
    for link in drawn:
        assert link.match and link.earlier.picture and link.later.picture
        channel, _, _ = link.match
        one, two = (records.get((channel, end)) for end in (link.bridge.earlier or "", link.bridge.id))
        if one is not None and two is not None:
            a, b = (np.frombuffer(record, "<u8") for record in (one, two))
            drawn_as = _drawn(link.earlier.picture), _drawn(link.later.picture)
            places = points_of(a, b, side_of[channel], *drawn_as)
            lines: tuple[Line, ...] = tuple((x, y, u, v) for x, y, u, v in places.tolist())
            yield link.bridge, Link(link.bridge, link.match, link.earlier, link.later, lines)


def _records(run: Run, channels: set[str], ids: set[str]) -> dict[tuple[str, str], bytes]:
    """(channel, id) -> verification record; of those that are whole."""
    spec = {channel.name: channel for channel in run.spec.channels}
    return {
        (row["channel"], row["id"]): row["record"]
        for row in rows_of(run, "verification", ids, ["id", "channel", "record"])
        if row["channel"] in channels and _is_whole(spec[row["channel"]], row["record"])
    }


def _is_whole(channel: Channel, record: bytes) -> bool:
    signature = bytes(4 * channel.minhash.permutations)  # of which nothing is asked here
    return damage(channel, Piece(signature=signature, record=record)) is None


def _drawn(picture: Thumbnail) -> Drawn:
    return Drawn("", *size_in_units(picture.width, picture.height))
