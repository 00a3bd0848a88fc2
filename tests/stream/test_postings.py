"""A bucket in chunks is a sorted list, whatever is done to it and however often it is written and read."""

import random

import pytest

from shared.errors import SourceError
from stream.postings import CHUNK, Bucket, lone_member, most_members, packed_members

KEY = bytes(11)


def member(number: int) -> bytes:
    return number.to_bytes(16, "big") + b"x" * (1 + number % 3)


def write(bucket: Bucket, records: dict[bytes, bytes]) -> Bucket:
    """What the store then holds, opened again."""
    for key, value in bucket.records():
        if value is None:
            del records[key]
        else:
            records[key] = value
    return Bucket(KEY, records.get(KEY), records.get)


@pytest.mark.parametrize("seed", range(8))
def test_any_history_of_a_bucket(seed: int) -> None:
    draw = random.Random(seed)
    records: dict[bytes, bytes] = {}
    expected: list[bytes] = []
    bucket = Bucket(KEY, None, records.get)
    for grows in (True, True, False, True, False, False):  # past several chunks, and back to nothing
        for _ in range(40):
            for _ in range(draw.randrange(20)):
                new = member(draw.randrange(10_000))
                if grows and new not in expected:
                    expected = sorted([*expected, new])
                    assert bucket.insert(new) == expected.index(new)
                elif not grows and expected:
                    old = draw.choice(expected)
                    assert bucket.remove(old) == expected.index(old)
                    expected.remove(old)
            bucket = write(bucket, records)
            check(bucket, expected, draw)
            assert not expected or most_members(records[KEY]) >= len(expected)
            assert (KEY in records) == bool(expected)
            assert (len(records) > 1) == (len(expected) > CHUNK)


def check(bucket: Bucket, expected: list[bytes], draw: random.Random) -> None:
    assert len(bucket) == len(expected)
    start, stop = sorted(draw.choices(range(-2, len(expected) + 3), k=2))
    assert bucket.members(start, stop) == expected[max(start, 0) : max(stop, 0)]
    if expected:
        rank = draw.randrange(len(expected))
        assert bucket.rank(expected[rank]) == rank


def test_a_lone_member() -> None:
    record = lone_member(member(7))
    assert Bucket(KEY, record, lambda _: None).members(0, 9) == [member(7)]
    shortest = bytes(16) + b"x"
    assert most_members(lone_member(shortest)) == 1


def test_what_is_not_there_cannot_be_removed() -> None:
    bucket = Bucket(KEY, lone_member(member(7)), lambda _: None)
    with pytest.raises(KeyError):
        bucket.remove(member(8))


def test_packed_members_are_what_the_index_finds() -> None:
    records: dict[bytes, bytes] = {}
    bucket = Bucket(KEY, None, records.get)
    for number in range(3 * CHUNK - 5):
        bucket.insert(member(3 * number))  # of 17 bytes each, and two of length
    write(bucket, records)
    assert len(records) == 4

    def members() -> float:
        packed = packed_members(KEY, records[KEY], lambda names: [records.get(name) for name in names])
        return len(packed) / 19

    assert members() == 3 * CHUNK - 5
    chunk = next(name for name in sorted(records) if len(name) > len(KEY))
    whole = records.pop(chunk)
    assert members() < 3 * CHUNK - 5  # what is lost is not counted
    for damaged in (whole[19:], whole[19:] + whole[:19], whole + whole[:19]):
        records[chunk] = damaged
        with pytest.raises(SourceError, match="the state is damaged: chunk"):
            members()
