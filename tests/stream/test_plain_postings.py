"""What is passed in bulk also passes one by one; and nearly all of a state is passed in bulk."""

import random

import pytest

from shared.errors import SourceError
from shared.spec import from_dict
from stream.checked import Checked
from stream.plain_postings import plain
from stream.postings import CHUNK, Bucket, bucket_key, lone_member
from stream.stores.memory import MemoryStore
from tests.hand_made import make_spec
from tests.test_explain import CHANNEL

SPEC = from_dict(make_spec(CHANNEL))
BANDS = CHANNEL["bands"]["count"]

Entry = tuple[bytes, bytes]


def entries() -> list[Entry]:
    """Buckets of one member, of two, and of more than one chunk."""
    found = [(bucket_key(0, band, band), lone_member(bytes(16) + b"id")) for band in range(BANDS)]
    for members in (2, CHUNK + 1):
        bucket = Bucket(bucket_key(0, 1, members), None, lambda _: None)
        for number in range(members):
            bucket.insert(number.to_bytes(16, "big") + b"%03d" % number)
        found += [(key, value) for key, value in bucket.records() if value is not None]
    return found


def damaged(draw: random.Random, key: bytes, value: bytes) -> Entry:
    parts = [bytearray(key), bytearray(value)]
    part = draw.choice(parts)
    at = draw.randrange(min(len(part), 40))
    match draw.randrange(3):
        case 0:
            part[at] = draw.choice([0, 1, 2, 17, 127, 128, 255])
        case 1:
            del part[at:]
        case _:
            part[at:at] = draw.randbytes(draw.randrange(1, 4))
    return bytes(parts[0]), bytes(parts[1])


def checked(*entries: Entry) -> Checked:
    store = MemoryStore()
    store.write({"postings": dict(entries)})
    return Checked(store, SPEC)


def passes(entry: Entry) -> bool:
    """Whether it does where records are looked at one by one."""
    try:
        checked(entry).get_many("postings", [entry[0]])
    except SourceError:
        return False
    return True


def test_what_is_plain() -> None:
    whole = entries()
    found = zip(whole, plain(whole, [BANDS]).tolist(), strict=True)
    kinds = {(len(key), value[0]): is_plain for (key, value), is_plain in found}
    assert kinds == {(11, 0): True, (11, 1): False, (15, 19): True}  # few members, a directory, a chunk
    other = lone_member(bytes(16) + "é".encode())
    assert plain([(bytes(11), other)], [BANDS]).tolist() == [False] and passes((bytes(11), other))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_damaged_is_plain(seed: int) -> None:
    draw, whole = random.Random(seed), entries()
    some = [damaged(draw, *draw.choice(whole)) for _ in range(2000)]
    found = list(zip(map(passes, some), plain(some, [BANDS]).tolist(), strict=True))
    assert not found.count((False, True))
    assert found.count((False, False)) > 500 and found.count((True, True)) > 100


@pytest.mark.parametrize("number", [0, 700, 1999])
def test_a_scan_of_all_names_the_one_that_is_damaged(number: int) -> None:
    some = [(bucket_key(0, 0, value), lone_member(bytes(16) + b"id")) for value in range(2000)]
    assert list(checked(*some).scan("postings")) == some
    key = some[number][0]
    some[number] = (key, lone_member(bytes(16) + b"\xff"))
    with pytest.raises(SourceError) as caught:
        list(checked(*some).scan("postings"))
    assert f"the record {key!r} of the family postings is damaged (an id or a name in it" in str(caught.value)
