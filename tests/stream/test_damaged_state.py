"""States whose records are not what their families hold, or contradict each other: never a traceback."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from parity.explain.explain import explain
from shared.errors import CrossfadeError, SourceError
from shared.spec import from_dict
from stream import state
from stream.checked import Checked
from stream.contradictions import contradictions
from stream.export import export
from stream.inspect import describe
from stream.meta import state_spec
from stream.side import StateSide
from stream.stores import open_store
from stream.stores.memory import MemoryStore
from stream.stores.protocol import FAMILIES, Store
from tests import explained
from tests.engines import stream_through
from tests.hand_made import event, make_spec
from tests.histories import random_history
from tests.test_explain import CHANNEL, records, text

LIMITED = make_spec(CHANNEL, max_skew_ms=50, retention_ms=1_000_000)
COPIES = [*records(), (0, 20, 2500, event("a", 1001, text(0))), (0, 21, 2501, b"no json")]


def filled(store: Store) -> Store:
    explained.fill(store, from_dict(LIMITED), COPIES)
    return store


@pytest.fixture
def memory() -> MemoryStore:
    store = MemoryStore()
    filled(store)
    return store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in RocksDB."""
    folder = tmp_path_factory.mktemp("made") / "state"
    filled(store := open_store(folder))
    store.close()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as `state`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, "state")
    return Path("state")


def put(folder: Path, family: str, key: bytes, value: bytes | None) -> None:
    store = open_store(folder, create=False)
    store.write({family: {key: value}})
    store.close()


def crossfade(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def first(store: Store, family: str) -> tuple[bytes, bytes]:
    return next(store.scan(family))


def a(store: Store) -> bytes:
    """The item key of a, the head."""
    return next(key for key, _ in store.scan("items") if key[1:] == b"a")


def read_all(store: Store, folder: Path) -> None:
    """Everything that reads a state, on this one."""
    export(store, folder / "run")
    list(contradictions(Checked(store, spec := state_spec(store)), spec))
    assert all(list(Checked(store, spec).scan(family)) is not None for family in FAMILIES)
    explain([StateSide(store, Path("state"), all_postings=True)], ["b", "h"])


def damages(key: bytes, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    for other in (b"", value[:-1], value + b"\0", b"\xff" * len(value), b"\0" * 40):
        yield key, other
    yield b"\xff" * len(key), value


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_stands_in_a_family(family: str, tmp_path: Path) -> None:
    """A damaged record is named, or taken for one that may be; nothing else happens."""
    refused = 0
    whole = MemoryStore()
    filled(whole)
    assert any(whole.scan(family)), "a family without records tests nothing"
    for number, (key, value) in enumerate(damages(*first(whole, family))):
        store = MemoryStore()
        store.write({name: dict(whole.scan(name)) for name in FAMILIES})
        store.write({family: {first(whole, family)[0]: None, key: value}})
        try:
            read_all(store, tmp_path / str(number))
        except CrossfadeError as error:
            refused += 1
            assert "\n" not in str(error) and ("state" in str(error)), str(error)
    assert refused >= 2


@pytest.mark.parametrize(
    ("family", "key", "value", "says"),
    [
        ("items", b"\x01bad", b"short", "it ends too early"),
        ("items", b"\x01\xff\xff", b"\0" * 77, "an id or a name in it is no UTF-8"),
        ("edges", b"\x01bad", b"\xff\xff\xff\xff" + b"x" * 20, "a length in it is negative"),
        ("features", b"\x01bad", b"", "it has 0 signatures and verification records and not 2"),
        ("clusters", b"\x01bad", b"", "it does not name one head"),
        ("postings", b"\x07" + b"\0" * 10, b"\0", "a number in it stands for nothing"),
        ("members", b"\x01bad", b"\x01", "it is no number of members"),
        ("dead", b"key", b"value", "its key is no place in the log"),
    ],
)
def test_a_record_is_named(
    memory: MemoryStore, tmp_path: Path, family: str, key: bytes, value: bytes, says: str
) -> None:
    memory.write({family: {key: value}})
    with pytest.raises(SourceError) as caught:
        export(memory, tmp_path / "run")
        list(Checked(memory, state_spec(memory)).scan(family))  # no export reads members
    record = f"the state in memory: the record {key!r} of the family {family} is damaged ({says}); start"
    assert str(caught.value).startswith(record)
    assert family == "members" or not (tmp_path / "run" / "manifest.json").exists()


def test_a_record_is_named_where_it_is(folder: Path) -> None:
    put(folder, "postings", b"\x00" * 11, b"garbage")
    for command in (("inspect", "state"), ("export", "--state", "state", "--output", "run")):
        shown = crossfade(*command)
        assert shown.exit_code == 2 and shown.output.count("\n") == 1, shown.output
        assert "crossfade: the state in state: the record b'" in shown.output
        assert "the family postings is damaged" in shown.output


def test_explain_names_the_record_it_needs(folder: Path) -> None:
    store = open_store(folder, create=False)
    key = a(store)
    store.close()
    put(folder, "features", key, b"garbage")
    shown = crossfade("explain", "a", "--at", "state")
    assert shown.exit_code == 2 and f"the record {key!r} of the family features is damaged" in shown.output
    assert shown.output.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (state.META_CONTRACT, b"{"),
        (state.META_CONTRACT, b'{"id": "x", "contract": {}, "spec": {}}'),
        (state.META_SOURCE, b"[]"),
        (state.META_OFFSETS, b'{"0": "x"}'),
        (state.META_OFFSETS, None),
        (state.META_COUNTS, b'{"records": null}'),
        (state.META_FORMAT, b"\xff"),
    ],
)
def test_what_a_state_says_of_itself(
    memory: MemoryStore, tmp_path: Path, name: bytes, value: bytes | None
) -> None:
    memory.write({"meta": {name: value}})
    with pytest.raises(CrossfadeError) as caught:
        export(memory, tmp_path / "run")
    assert "the state in memory" in str(caught.value) and "consume" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_with_another_shard(memory: MemoryStore, tmp_path: Path) -> None:
    key, value = first(memory, "candidates")
    memory.write({"candidates": {key: None, bytes([key[0] ^ 1]) + key[1:]: value}})
    with pytest.raises(SourceError, match="for candidates has another shard in its key than the id's"):
        export(memory, tmp_path / "run")


def test_a_damaged_file_of_the_database(tmp_path: Path) -> None:
    """rocksdict's iterator just ends there: half a state would be exported as if it were all."""
    store = open_store(tmp_path / "state")
    store.write({"items": {b"%08d" % number: b"x%d" % (number**5) for number in range(20_000)}})
    store.close()
    open_store(tmp_path / "state").close()  # moves the log into a file
    file = max((tmp_path / "state").glob("*.sst"), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    file.write_bytes(data)
    store = open_store(tmp_path / "state")
    with pytest.raises(SourceError, match=r"the state in .* cannot be read \(Corruption"):
        list(store.scan("items"))
    with pytest.raises(SourceError, match=r"cannot be read \(Corruption"):
        store.get_many("items", [b"%08d" % number for number in range(20_000)])
    store.close()


def test_inspect_beside_the_consumer(folder: Path) -> None:
    with_lock = open_store(folder, create=False)
    shown = crossfade("inspect", "state", "--verify", "--json")
    with_lock.close()
    found = orjson.loads(shown.output)
    assert shown.exit_code == 0 and found["contradictions"] == 0 and found["first"] == []
    assert found["families"]["items"] == 9 and found["families"]["later"] > 0
    assert all(found["families"].values()), "a family without records tests nothing"


def lost_later(store: Store) -> tuple[bytes, bytes | None]:
    return first(store, "later")[0], None


def strange_later(store: Store) -> tuple[bytes, bytes | None]:
    earlier, later = state.unpack_later(first(store, "later")[0])
    return state.later_prefix(later) + earlier, b""


def wrong_members(store: Store) -> tuple[bytes, bytes | None]:
    return a(store), (99).to_bytes(8, "big")


def lost_members(store: Store) -> tuple[bytes, bytes | None]:
    return a(store), None


def lost_versions(store: Store) -> tuple[bytes, bytes | None]:
    return a(store), None


def other_versions(store: Store) -> tuple[bytes, bytes | None]:
    (value,) = store.get_many("versions", [a(store)])
    rows = [row | {"event_time": row["event_time"] + 5} for row in state.unpack_events("a", value or b"")]
    return a(store), state.pack_events(rows)


def lost_ages(store: Store) -> tuple[bytes, bytes | None]:
    return first(store, "ages")[0], None


@pytest.mark.parametrize(
    ("family", "fault", "says"),
    [
        ("later", lost_later, "only edges has its match with 'a'"),
        ("later", strange_later, "only later has its match with"),
        ("members", wrong_members, "it says 99; in clusters it has"),
        ("members", lost_members, "it says nothing; in clusters it has"),
        ("versions", lost_versions, "items has it, and no event of it is kept"),
        ("versions", other_versions, "the event kept that wins has another event_time and"),
        ("ages", lost_ages, "it does not say when it ages"),
    ],
)
def test_families_that_no_export_shows(folder: Path, family: str, fault: object, says: str) -> None:
    store = open_store(folder, create=False)
    store.write({family: dict([fault(store)])})  # type: ignore[operator]
    store.close()
    found = describe(folder, verify=True)
    assert found["contradictions"] == sum(found["by_family"].values()) and family in found["by_family"]
    assert says in " ".join(one["says"] for one in found["first"] if one["family"] == family)
    assert crossfade("inspect", "state").exit_code == 0
    shown = crossfade("inspect", "state", "--verify")
    assert shown.exit_code == 1 and family in shown.output


def test_events_kept_without_a_limit_that_needs_them() -> None:
    store = MemoryStore()
    explained.fill(store, from_dict(make_spec(CHANNEL)), records())
    spec = state_spec(store)
    assert not list(contradictions(store, spec))
    row = {"op": "upsert", "event_time": 1, "append_time": 1, "partition": 0, "offset": 1}
    row |= {"kind": "text", "digest": bytes(32), "payload": b""}
    store.write({"versions": {a(store): state.pack_events([row])}})
    (found,) = contradictions(store, spec)
    assert (found.family, found.id) == ("versions", "a")


@pytest.mark.parametrize("seed", range(6))
def test_what_the_consumer_leaves_does_not_contradict_itself(seed: int) -> None:
    """Edits, deletes, late events, limits on times and both rules of clusters."""
    history = random_history(seed)
    spec, store = from_dict(history.spec), MemoryStore()
    stream_through(store, spec, [history.records[at : at + 7] for at in range(0, len(history.records), 7)])
    assert not list(contradictions(Checked(store, spec), spec))
