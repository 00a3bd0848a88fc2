"""Newcomers: which of some ids a trace has beside what it should have."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.explain.sums import Newcomers
from shared import traces

STRANGERS, DRAWN = (
    traces.id_hashes(pa.array([f"{kind} {n}" for n in range(40)], pa.string())) for kind in ("new", "old")
)
PLACES = st.integers(0, 39)


@given(st.sets(PLACES, min_size=1, max_size=3), st.sets(PLACES, max_size=2), st.booleans())
def test_one_to_three_in_the_place_of_at_most_two(came: set[int], went: set[int], lost: bool) -> None:
    change = sum(STRANGERS[list(came)].tolist()) - sum(DRAWN[list(went)].tolist())
    change = traces.signed(-change if lost else change)  # as a row of candidates has it
    assert Newcomers(STRANGERS).first(change, DRAWN) == min(came)


@given(st.sets(st.integers(0, 9), min_size=4))
def test_of_few_any_number(came: set[int]) -> None:
    assert Newcomers(STRANGERS[:10]).first(sum(STRANGERS[list(came)].tolist()), DRAWN[:0]) == min(came)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_what_none_of_them_explains(count: int) -> None:
    newcomers = Newcomers(STRANGERS[:count])
    three_went = int(STRANGERS[0]) - sum(DRAWN[:3].tolist())
    for change in (0, 1, 2**63, three_went, int(DRAWN[0])):
        assert newcomers.first(change, DRAWN) is None


def test_of_many_only_pairs_are_tried() -> None:
    """A hundred and more are too many for threes: what three of 400 make is not found, nor mistaken."""
    hashes = np.random.default_rng(1).integers(0, 2**64, 400, np.uint64)
    newcomers = Newcomers(hashes)
    assert newcomers.first(sum(hashes[[7, 30]].tolist()), DRAWN) == 7
    assert newcomers.first(sum(hashes[[7, 30, 90]].tolist()), DRAWN) is None
