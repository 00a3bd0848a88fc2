"""The points that two pictures have in common, as lines between them: SVG to stand in a page."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.extractors.sift import POSITION
from shared.geometry import matched_points
from shared.run import Run

LINES = 40  # drawn of a pair at most
UNITS = 320  # of the drawing: the longest side of a picture
COLOURS = 5
_GAP = 20

Points = npt.NDArray[np.float64]
Record = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Drawn:
    """A picture that the page holds already: the id of its SVG element, and its size in units."""

    element: str
    width: float
    height: float


def size_in_units(width: int, height: int) -> tuple[float, float]:
    """Width and height with UNITS for the longer one."""
    scale = UNITS / max(width, height)
    return round(width * scale, 1), round(height * scale, 1)


def sides(run: Run) -> dict[str, int]:
    """channel -> pixels of the longest side that its positions refer to; channels that match by points."""
    channels: list[dict[str, Any]] = run.manifest["spec"]["channels"]
    return {
        channel["name"]: int(channel["parameters"]["side"])
        for channel in channels
        if channel["match"]["rule"] == "inliers"
    }


def read_records(run: Run, channel: str, ids: Collection[str]) -> dict[str, Record]:
    """id -> verification record (shared/geometry.py), of those that have one; in bounded memory."""
    wanted = pa.array(sorted(ids), pa.string())
    found: dict[str, Record] = {}
    for batch in run.batches("verification", ["id", "channel", "record"]):
        own = pc.and_(pc.equal(batch.column("channel"), channel), pc.is_in(batch.column("id"), wanted))
        for row in batch.filter(own).to_pylist():
            found[row["id"]] = np.frombuffer(row["record"], "<u8")
    return found


def points_of(a: Record, b: Record, side: int, one: Drawn, other: Drawn) -> Points:
    """float64[n, 4]: x, y in picture `one` of record a and in `other` of b, in units, of each match."""
    points, flipped = matched_points(a, b)
    places = points * (UNITS / (side * POSITION))
    if flipped:  # the places of the lesser record are those of its mirror image
        column, picture = (0, one) if a.tolist() <= b.tolist() else (2, other)
        places[:, column] = picture.width - places[:, column]
    return np.asarray(places, np.float64)


def spread(points: Points, limit: int) -> Points:
    """At most `limit` of the points, each the farthest in the first picture from those before it.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985). In order from the
    top of the first picture to its bottom.
    """
    chosen = [0] if len(points) else []
    nearest = np.full(len(points), np.inf)
    while len(chosen) < min(limit, len(points)):
        apart = ((points[:, :2] - points[chosen[-1], :2]) ** 2).sum(axis=1)
        nearest = np.minimum(nearest, apart)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return points[sorted(chosen, key=lambda row: (points[row, 1], points[row, 0]))]


def pair_svg(one: Drawn, other: Drawn, points: Points, label: str) -> str:
    """Two pictures side by side with lines between their points. label: its text, escaped already."""
    height = max(one.height, other.height)
    left = (0.0, (height - one.height) / 2)
    right = (one.width + _GAP, (height - other.height) / 2)
    lines = spread(points, LINES) + np.array([*left, *right])
    pictures = "".join(
        f'<use href="#{drawn.element}" x="{x:g}" y="{y:g}"/>'
        for drawn, (x, y) in ((one, left), (other, right))
    )
    return (
        f'<svg viewBox="0 0 {right[0] + other.width:g} {height:g}" role="img" aria-label="{label}">'
        f"<title>{label}</title>{pictures}{_paths(np.rint(lines).astype(np.int64).tolist())}</svg>"
    )


def _paths(lines: list[list[int]]) -> str:
    """A dark line under each coloured one, so that it shows on any picture; dots at the ends."""
    strokes = [f"M{a} {b}L{c} {d}" for a, b, c, d in lines]
    dots = [f"M{a} {b}h0M{c} {d}h0" for a, b, c, d in lines]
    parts = [f'<path class="under" d="{"".join(strokes)}"/>', f'<path class="rim" d="{"".join(dots)}"/>']
    for colour in range(COLOURS):
        own = slice(colour * len(lines) // COLOURS, (colour + 1) * len(lines) // COLOURS)
        if strokes[own]:
            parts.append(f'<path class="line c{colour}" d="{"".join(strokes[own])}"/>')
            parts.append(f'<path class="dot c{colour}" d="{"".join(dots[own])}"/>')
    return "".join(parts)
