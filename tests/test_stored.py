"""The keys and entries that runs and states are explained by are those that the engines use."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from shared.heads import priority_key, priority_keys
from shared.spec import from_dict
from shared.stored import Piece, bucket_entries
from tests import oracle
from tests.hand_made import make_channel, make_spec

TIMES = st.integers(-(2**53), 2**53)


@given(
    st.lists(
        st.tuples(TIMES, TIMES, st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), max_size=9
    )
)
def test_priority_keys(items: list[tuple[int, int, str]]) -> None:
    effective, version = (np.array([item[i] for item in items], np.int64) for i in range(2))
    keys = priority_keys(effective, version, pa.array([item[2] for item in items], pa.string())).to_pylist()
    assert keys == [priority_key(one, two, name.encode()) for one, two, name in items]
    in_order = sorted(items, key=lambda item: (item[0], item[1], item[2].encode()))
    assert [priority_key(one, two, name.encode()) for one, two, name in in_order] == sorted(keys)


def test_bucket_entries() -> None:
    spec = make_spec(make_channel("one"), make_channel("two", bands={"count": 1, "rows": 4}))
    values = [(1, 2, 3, 4), (2**32 - 1, 0, 7, 7)]
    pieces = [Piece(np.array(own, "<u4").tobytes(), b"") for own in values]
    expected = [
        (order, band, oracle.bucket_value(oracle.band_values(channel, values[order], band)))
        for order, channel in enumerate(spec["channels"])
        for band in range(channel["bands"]["count"])
    ]
    assert list(bucket_entries(from_dict(spec), pieces)) == expected
    assert bucket_entries(from_dict(spec), [Piece(b"damaged", b""), Piece()]) == ()
