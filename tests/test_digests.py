from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from shared import digests
from shared.run import CLUSTERS, ITEMS, STAGES, Stage
from tests.runs import sample

SCHEMA = pa.schema([("id", pa.string()), ("value", pa.binary()), ("count", pa.int64())])
COLUMNS = ["id", "value", "count"]
Row = tuple[str, bytes, int]
ROWS = st.lists(
    st.tuples(st.text(max_size=5), st.binary(max_size=5), st.integers(-(2**63), 2**63 - 1)), max_size=8
)


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], SCHEMA)


def of(rows: list[Row]) -> dict[str, str]:
    return digests.digest(table(rows), "id", COLUMNS).to_json()


def naive(rows: list[Row]) -> dict[str, str]:
    """The digest once more, in plain Python over the xxhash library."""
    found: dict[int, list[int]] = {}
    for name, value, count in rows:
        entry = found.setdefault(xxhash.xxh64_intdigest(name.encode(), 0) % 256, [0, 0, 0])
        entry[0] += 1
        for lane in range(2):
            parts = [
                xxhash.xxh64_intdigest(name.encode(), lane),
                xxhash.xxh64_intdigest(value, 2 + lane),
                xxhash.xxh64_intdigest(count.to_bytes(8, "little", signed=True), 4 + lane),
            ]
            row = b"".join(part.to_bytes(8, "little") for part in parts)
            entry[1 + lane] = (entry[1 + lane] + xxhash.xxh64_intdigest(row, lane)) % 2**64
    return {f"{shard:02x}": f"{n}:{a:016x}{b:016x}" for shard, (n, a, b) in sorted(found.items())}


@given(ROWS)
def test_a_digest_is_what_the_naive_one_says(rows: list[Row]) -> None:
    assert of(rows) == naive(rows)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 8))
def test_neither_order_nor_files_matter(rows: list[Row], random: Any, cut: int) -> None:
    shuffled = random.sample(rows, len(rows))
    parts = [table(shuffled[:cut]), table(shuffled[cut:])]
    total = digests.empty()
    for part in parts:
        total += digests.digest(part, "id", COLUMNS)
    assert total.to_json() == of(rows)
    assert digests.digest(pa.concat_tables(parts), "id", COLUMNS).to_json() == of(rows)  # several chunks


def test_slices_are_what_they_show() -> None:
    rows: list[Row] = [("a", b"1", 1), ("b", b"22", 2), ("c", b"", 3)]
    assert digests.digest(table(rows).slice(1, 1), "id", COLUMNS).to_json() == of(rows[1:2])


@pytest.mark.parametrize(
    ("rows", "others"),
    [
        ([("a", b"x", 1)], [("a", b"y", 1)]),
        ([("a", b"x", 1)], [("a", b"x", 2)]),
        ([("a", b"x", 1)], [("b", b"x", 1)]),
        ([("a", b"b", 1)], [("ab", b"", 1)]),
        ([("a", b"b", 1)], [("b", b"a", 1)]),
        ([("a", b"x", 1)], [("a", b"x", 1), ("a", b"x", 1)]),
        ([("a", b"x", 1), ("a", b"y", 2)], [("a", b"x", 2), ("a", b"y", 1)]),
        ([], [("", b"", 0)]),
    ],
)
def test_unequal_rows_have_unequal_digests(rows: list[Row], others: list[Row]) -> None:
    assert of(rows) != of(others)


def test_rows_that_repeat_do_not_cancel_out() -> None:
    """An exclusive or would lose them."""
    assert of([("a", b"x", 1)] * 2) != of([("a", b"y", 1)] * 2)


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_every_digested_column_counts_and_no_other(stage: Stage) -> None:
    row = dict(sample()[stage.name][1], shard=0)
    changed = {pa.string(): lambda v: v + "!", pa.binary(): lambda v: v + b"!"}
    before = digests.digest(pa.Table.from_pylist([row], stage.schema), stage.shard_by, list(stage.digested))
    for field in stage.schema:
        other = row | {field.name: changed.get(field.type, lambda v: v + 1)(row[field.name])}
        found = digests.digest(
            pa.Table.from_pylist([other], stage.schema), stage.shard_by, list(stage.digested)
        )
        assert (found.to_json() != before.to_json()) == (field.name in stage.digested), field.name


def test_position_and_append_time_are_outside() -> None:
    outside = set(ITEMS.schema.names) - set(ITEMS.digested)
    assert outside == {"shard", "append_time", "partition", "offset"}
    assert set(CLUSTERS.schema.names) - set(CLUSTERS.digested) == {"shard"}


def test_shards_are_the_ids_hash() -> None:
    ids = ["", "a", "ü", "x" * 1000]
    assert digests.shards(pa.array(ids)).tolist() == [
        xxhash.xxh64_intdigest(i.encode(), 0) % 256 for i in ids
    ]


def test_an_empty_digest() -> None:
    assert digests.empty().to_json() == of([]) == {}
    assert int(digests.digest(table([]), "id", COLUMNS).rows.sum()) == 0
    assert digests.empty().lanes.shape == (256, 2) and digests.empty().lanes.dtype == np.uint64
