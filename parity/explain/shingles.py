"""Some shingles of two texts in clear: windows of a text that have one token each."""

import numpy as np
import pyarrow as pa

from parity.explain.gather import Gathered
from parity.explain.result import ShinglesView
from shared.extractors.text import Shingles

SHOWN = 3
_WINDOWS = 2_000  # of a text, from its beginning, that are tried


def shingles(g: Gathered, earlier: str, later: str) -> ShinglesView | None:
    """Of the first channel that takes shingles; None where there is none, or no lake with both texts."""
    extractor = next((c.extractor for c in g.about.spec.channels if isinstance(c.extractor, Shingles)), None)
    payloads = [g.from_lake[item] for item in (earlier, later) if item in g.from_lake]
    if extractor is None or [own.kind for own in payloads] != ["text", "text"]:
        return None
    texts = [own.payload.decode("utf-8", "replace") for own in payloads]
    (one, of_one), (other, of_other) = (
        (_tokens(extractor, text), _in_clear(extractor, text)) for text in texts
    )
    return ShinglesView(
        common=_shown(of_one, one & other),
        earlier_only=_shown(of_one, one - other),
        later_only=_shown(of_other, other - one),
    )


def _tokens(extractor: Shingles, text: str) -> set[int]:
    return set(extractor.extract(pa.array([text.encode()], pa.binary())).tokens.tolist())


def _in_clear(extractor: Shingles, text: str) -> dict[int, str]:
    """token -> a window of the text that has this token alone."""
    units = text.split() if extractor.unit == "word" else text
    joint = " " if extractor.unit == "word" else ""
    count = min(_WINDOWS, max(1, len(units) - extractor.size + 1))
    windows = [joint.join(units[i : i + extractor.size]) for i in range(count)]
    found = extractor.extract(pa.array([window.encode() for window in windows], pa.binary()))
    sizes = np.diff(found.offsets)
    alone = np.flatnonzero(sizes == 1)
    tokens = found.tokens[found.offsets[alone]].tolist()
    return {token: windows[i] for token, i in zip(tokens, alone.tolist(), strict=True)}


def _shown(in_clear: dict[int, str], wanted: set[int]) -> tuple[str, ...]:
    return tuple(window for token, window in in_clear.items() if token in wanted)[:SHOWN]
