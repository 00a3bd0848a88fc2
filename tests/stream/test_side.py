"""A state is explained from what is in it, its postings as they are: what was lost or left behind shows."""

from pathlib import Path

import pytest

from parity.explain.explain import explain
from parity.explain.result import Explanation
from parity.explain.verdict import sentences
from shared.stored import bucket_entries
from stream import state
from stream.postings import Bucket, bucket_key
from stream.side import StateSide
from stream.stores.memory import MemoryStore
from tests import explained
from tests.explained import Made
from tests.hand_made import event, log, make_channel, make_spec
from tests.test_explain import SPEC, records


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return explained.make(SPEC, records(), tmp_path / "run", tmp_path / "lake")


def beside(made: Made, *ids: str, all_postings: bool = False) -> tuple[Explanation, list[str]]:
    """The run, and the state after something was done to it."""
    side = StateSide(made.store, Path("the state"), all_postings)
    found = explain([made.run_side, side], ids)
    return found, list(sentences(found))


def edit(made: Made, item: str, band: int, member: bytes, insert: bool) -> None:
    """Insert a member into the bucket that an item is in, or take it out."""
    side = made.state_side
    (entry,) = [e for e in bucket_entries(side.about.spec, side.pieces([item])[item]) if e[1] == band]
    key = bucket_key(*entry)
    (record,) = made.store.get_many("postings", [key])
    bucket = Bucket(key, record, lambda name: made.store.get_many("postings", [name])[0])
    (bucket.insert if insert else bucket.remove)(member)
    made.store.write({"postings": dict(bucket.records())})


def key_of(made: Made, item: str) -> bytes:
    return made.state_side.events([item])[item].key(item)


def test_a_lost_posting(made: Made) -> None:
    edit(made, "h", 3, key_of(made, "h"), insert=False)
    found, said = beside(made, "b", "h")
    assert found.parting is not None and found.parting.stage == "bucket"
    assert said[0] == "They part at bucket because h is in 8 buckets in A and 7 in B."
    assert said[2].startswith(
        "B's own rows do not follow from each other at bucket: the signatures of h give 8 bucket entries, "
        "its postings have 7: the one of words 3 is lost."
    )
    assert said[3] == "So it is B that is wrong at bucket."
    a, b = (side.pair for side in found.sides)
    assert a is not None and b is not None
    assert {bucket.entry[1] for bucket in a.buckets} - {bucket.entry[1] for bucket in b.buckets} == {3}


def test_a_posting_too_many(made: Made) -> None:
    """b and h share bands 3, 4 and 6; now h is in b's bucket of band 1 too."""
    edit(made, "b", 1, key_of(made, "h"), insert=True)
    _, said = beside(made, "b", "h")
    assert "its postings have 9: one in words 1 too many" in said[2]
    assert "parts at" not in " ".join(beside(made, "h")[1])  # of h alone its own buckets are looked at
    found, said = beside(made, "h", all_postings=True)
    assert found.parting is not None and found.parting.stage == "bucket" and "its postings have 9" in said[2]


def test_a_posting_with_other_times(made: Made) -> None:
    right, wrong = key_of(made, "h"), b"\x80" + bytes(14) + b"\x01h"
    edit(made, "h", 3, right, insert=False)
    edit(made, "h", 3, wrong, insert=True)
    found, said = beside(made, "h")
    assert found.parting is not None and found.parting.stage == "bucket"
    assert said[0] == "They part at bucket because h is in 8 buckets in both, not the same."
    assert "its postings have 8: not the same ones" in said[2]


def test_a_posting_that_a_deleted_item_left_behind(made: Made) -> None:
    edit(made, "h", 3, key_of(made, "z"), insert=True)  # it is later than h
    assert beside(made, "b", "h")[0].parting is None
    edit(made, "h", 4, b"\x80" + bytes(14) + b"\x01z", insert=True)  # before all others
    _, said = beside(made, "h")
    assert said[2] == (
        "B's own rows do not follow from each other at bucket: h draws z in bucket words 4, where by its own "
        "item and signature that one is not: its posting is stale. Nor do they at candidate."
    )


def test_what_was_lost_of_candidates_edges_and_clusters(made: Made) -> None:
    (item,) = state.item_keys(explained.strings("h"))
    for family, stage in (("candidates", "candidate"), ("edges", "match"), ("clusters", "cluster")):
        (value,) = made.store.get_many(family, [item])
        made.store.write({family: {item: None}})
        found, said = beside(made, "h")
        assert found.parting is not None and found.parting.stage == stage
        assert said[-1] == f"So it is B that is wrong at {stage}."
        made.store.write({family: {item: value}})
    assert beside(made, "h")[0].sound


def test_a_chunk_that_is_lost_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    spec = make_spec(make_channel(draws={"first": 2, "near": 1}))
    many = log(*((n, event(f"item {n}", n, "one text")) for n in range(300)))
    made = explained.make(spec, many, tmp_path / "run")
    assert isinstance(made.store, MemoryStore)
    chunks = [key for key, _ in made.store.scan("postings") if len(key) > 11]
    assert len(chunks) >= 4
    made.store.write({"postings": {chunks[-1]: None}})
    tried = list(range(0, 300, 12))
    lost = [n for n in tried if beside(made, f"item {n}")[1][0].startswith("They part at bucket")]
    assert lost and lost == tried[tried.index(lost[0]) :][: len(lost)]


def test_later_edges(made: Made) -> None:
    assert made.state_side.later_edges(["b", "nobody"]) == made.run_side.later_edges(["b", "nobody"])
    assert set(made.state_side.later_edges(["b"])["b"]) == {"c", "d", "e", "f", "g", "h"}


def test_linked(made: Made) -> None:
    assert made.state_side.linked(["b", "nobody"], 1_000) == made.run_side.linked(["b", "nobody"], 1_000)
    assert made.run_side.linked(["b", "nobody"], 1_000).keys() >= {*"bcdefgh", "nobody"}
    for side in (made.state_side, made.run_side):  # of a component that is too large its own are followed
        cut = side.linked(["b"], 0)
        assert cut == {"b": set("acdefgh")}
