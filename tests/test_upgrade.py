"""A new spec against the old one over the same events: runs of both, judged pair by pair in plain Python."""

import copy
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.faults.texts import SPEC, texts
from parity.align import AlignmentError
from parity.diff import diff
from parity.gates import parse_gates
from parity.rows import parts
from parity.show import WIDTH, console
from parity.upgrade import judging
from parity.upgrade.render import show
from parity.upgrade.result import OneSided, Upgrade
from parity.upgrade.upgrade import Options, upgrade
from shared.contract import contract_id
from shared.errors import ContractError, CrossfadeError, SourceError
from shared.fence import Fence
from shared.run import Run, open_run
from shared.spec import from_dict, load, to_dict
from stream.consumer import claim
from stream.export import export
from stream.logs.protocol import LogIdentity
from stream.stores.memory import MemoryStore
from tests import plain_upgrade, runs
from tests.engines import stream_through
from tests.forged import changed, copy_run
from tests.histories import CHANNEL, History, Record, genes, histories, make_channel
from tests.image_histories import Payload, image_history, write_pictures

LOG = LogIdentity("cluster-1", "topic-1", "items")
Spec = dict[str, Any]
Change = Callable[[Spec], None]


def run_of(path: Path, spec: Spec, records: Sequence[Record]) -> Run:
    """What the stream says of these records."""
    store, made = MemoryStore(), from_dict(spec)
    claim(store, made, LOG, sorted({record[0] for record in records}))
    stream_through(store, made, [list(records)])
    return export(store, path)


def changed_spec(spec: Spec, change: Change) -> Spec:
    new = copy.deepcopy(spec)
    change(new)
    return new


def scenario_records() -> list[Record]:
    columns = ("partition", "offset", "append_time", "value")
    log = texts().log
    return list(zip(*(log.column(name).to_pylist() for name in columns), strict=True))


def check(result: Upgrade, a: Run, b: Run) -> None:
    """Everything that an upgrade says of pairs, against every pair judged by itself."""
    plain = plain_upgrade.Upgrade(a, b)
    kinds = Counter(plain.unequal_events().values())
    events = result.events
    assert (events.missing, events.extra, events.wrong) == tuple(
        kinds[k] for k in ("missing", "extra", "wrong")
    )
    assert events.dropped == plain.dropped()
    for family, found in (("edges", result.edges), ("memberships", result.memberships)):
        assert (found.kept, found.other_channel, found.other_numbers) == plain.kept(family)
        sizes = tuple(len(side.pairs(family)) for side in (plain.a, plain.b))
        assert (found.in_a, found.in_b) == sizes
        for which in ("gained", "lost"):
            check_side(getattr(found, which), plain.side(family, which))
            check_order(getattr(found, which), which)
    for judge in result.judges:
        for which in ("gained", "lost"):
            assert list(getattr(judge, which)) == plain.histogram(which, judge.name)
    heads = (plain.a.heads, plain.b.heads)
    assert (result.clusters is None) == (heads[0] == heads[1])
    if result.clusters:
        assert result.clusters.pairs_common == plain_upgrade.regrouped(a, b)


def check_side(found: OneSided, wanted: plain_upgrade.Side) -> None:
    assert (found.pairs, found.set_aside, found.unequal) == (wanted.pairs, wanted.set_aside, 0)
    assert {(t.old, t.new): t.pairs for t in found.truths} == wanted.truths
    assert {(t.old, t.new): t.parted for t in found.truths if t.parted} == +wanted.parted
    assert dict(found.whys) == wanted.whys
    listed = {
        (pair.id, pair.earlier): (pair.old, pair.new, pair.why, pair.together_a, pair.together_b)
        for pair in found.listed
    }
    assert listed == wanted.told


def check_order(found: OneSided, which: str) -> None:
    """First what the run without the pair takes; of that first what only the run with it has together."""
    rank = {"yes": 0, "unknown": 1, "no": 2}
    keys = [
        (rank[pair.old], not pair.together_b or pair.together_a)
        if which == "gained"
        else (rank[pair.new], not pair.together_a or pair.together_b)
        for pair in found.listed
    ]
    assert keys == sorted(keys)


# --- Histories


@st.composite
def new_specs(draw: st.DrawFn, old: Spec) -> Spec:
    """The old spec with other sketches, draws, rules and channels; now and then other limits and times."""
    spec = copy.deepcopy(old)
    channels = []
    for place in range(draw(st.integers(1, 3))):
        other = make_channel(f"channel-{place}", draw(genes(CHANNEL)), 1)
        channel = copy.deepcopy(draw(st.sampled_from(old["channels"])))
        for part in draw(st.sets(st.sampled_from(["sketch", "draws", "match", "features"]))):
            names = {"sketch": ("minhash", "bands"), "features": ("parameters",)}.get(part, (part,))
            channel |= {name: other[name] for name in names}
        agreeing = min(channel["match"]["min_agreeing_bands"], channel["bands"]["count"])
        channel["match"] = channel["match"] | {"min_agreeing_bands": agreeing}
        channels.append(channel | {"name": f"channel-{place}"})
    spec["channels"] = channels
    if draw(st.integers(0, 3)) == 3:
        spec["times"] = {}
    if draw(st.integers(0, 3)) == 3:
        spec["limits"] = {"payload_bytes": 20}
    return spec


@settings(max_examples=25)
@given(histories(), st.data())
def test_any_history_under_two_specs(history: History, data: st.DataObject) -> None:
    new = data.draw(new_specs(history.spec))
    assume(contract_id(from_dict(new)) != contract_id(from_dict(history.spec)))
    with tempfile.TemporaryDirectory() as folder:
        a = run_of(Path(folder, "a"), history.spec, history.records)
        b = run_of(Path(folder, "b"), new, history.records)
        result = upgrade(a, b)
        check(result, a, b)
        fits(result)


def fits(result: Upgrade) -> str:
    out = console(record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    show(result, out)
    text = str(out.export_text())
    assert max(map(len, text.splitlines())) <= WIDTH
    return text


# --- A log in which every rule decides something


def setting(path: str, value: Any) -> Change:
    """Gives the first channel's `path`, such as "match.threshold", another value."""

    def change(spec: Spec) -> None:
        section, name = path.split(".")
        spec["channels"][0][section][name] = value

    return change


def sketch(permutations: int, rows: int, seed: int = 1) -> Change:
    def change(spec: Spec) -> None:
        bands = {"count": permutations // rows, "rows": rows}
        minhash = {"permutations": permutations, "seed": seed}
        spec["channels"][0] |= {"minhash": minhash, "bands": bands}

    return change


def words_alone(spec: Spec) -> None:
    del spec["channels"][1]


def chars_exactly(spec: Spec) -> None:
    """The estimate of the old spec becomes exact: then its tokens are in B's records, and judge A's too."""
    spec["channels"][1]["match"] = {"rule": "jaccard", "threshold": "0.5625"}


CHANGES: dict[str, Change] = {
    "seed": setting("minhash.seed", 5),
    "permutations": sketch(64, 4),
    "fewer permutations": sketch(8, 4),
    "a lower threshold": setting("match.threshold", "0.6"),
    "a higher threshold": setting("match.threshold", "0.8"),
    "no draws": lambda spec: spec["channels"][0].update(draws={"first": 0, "near": 0}),
    "more draws": lambda spec: spec["channels"][0].update(draws={"first": 40, "near": 40}),
    "agreeing bands": setting("match.min_agreeing_bands", 7),
    "other tokens": setting("parameters.size", 2),
    "a channel less": words_alone,
    "exact": chars_exactly,
    "channels in another order": lambda spec: spec["channels"].reverse(),
    "renamed": lambda spec: spec["channels"][0].update(name="new words"),
    "an estimate": lambda spec: spec["channels"][0]["match"].update(rule="agreement"),
    "components": lambda spec: spec.update(clusters={"rule": "components"}),
    "shorter payloads": lambda spec: spec.update(limits={"payload_bytes": 100}),
    "no limits of time": lambda spec: spec.update(times={}),
}


@pytest.fixture(scope="module")
def scenario_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Run]]:
    """The old run by the name "", the new ones by the name of the change."""
    folder, records, made = tmp_path_factory.mktemp("scenario"), scenario_records(), dict[str, Run]()

    def make(name: str) -> Run:
        if name not in made:
            spec = changed_spec(SPEC, CHANGES.get(name, lambda spec: None))
            made[name] = run_of(folder / (name or "old"), spec, records)
        return made[name]

    yield make


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_spec_both_ways(name: str, scenario_runs: Callable[[str], Run]) -> None:
    a, b = scenario_runs(""), scenario_runs(name)
    for old, new in ((a, b), (b, a)):
        result = upgrade(old, new, Options(listed=10_000))
        check(result, old, new)
        fits(result)


def truths(side: OneSided) -> dict[tuple[str, str], int]:
    return {(truth.old, truth.new): truth.pairs for truth in side.truths}


def test_a_higher_threshold_loses_nothing_that_it_takes(tmp_path: Path) -> None:
    """Of the words alone: the estimate of the other channel takes pairs that nobody can judge."""
    records = scenario_records()
    old, new = (
        changed_spec(changed_spec(SPEC, words_alone), setting("match.threshold", threshold))
        for threshold in ("0.7", "0.8")
    )
    a, b = run_of(tmp_path / "a", old, records), run_of(tmp_path / "b", new, records)
    result, back = upgrade(a, b), upgrade(b, a)
    assert result.edges.gained.pairs == 0 and result.edges.kept == result.edges.in_b
    assert truths(result.edges.lost) == {("yes", "no"): result.edges.lost.pairs}
    assert result.edges.lost.pairs > 100
    assert result.verdict == "nothing lost" and result.passed
    assert truths(back.edges.gained) == {("no", "yes"): result.edges.lost.pairs}
    assert back.verdict == "nothing lost"


def test_fewer_draws_lose_what_is_true(scenario_runs: Callable[[str], Run]) -> None:
    result = upgrade(scenario_runs(""), scenario_runs("no draws"))
    assert result.verdict == "over the gates" and not result.passed
    found = {gate.kind: gate.found for gate in result.gates}
    assert found["lost"] == sum(
        count for truth, count in truths(result.edges.lost).items() if truth[1] == "yes"
    )
    assert found["lost"] > found["parted"] >= 0


def test_items_that_the_new_spec_does_not_take_are_dropped(scenario_runs: Callable[[str], Run]) -> None:
    """Their edges are true by no rule of it, and yet are gone."""
    result = upgrade(scenario_runs(""), scenario_runs("shorter payloads"))
    assert result.events.dropped > 0 and result.edges.lost.pairs > 0 == result.edges.lost.true("yes")
    assert [gate.kind for gate in result.gates if not gate.passed] == ["dropped"]
    assert "items that A has features of" in " ".join(fits(result).split())


def test_every_why_is_met(scenario_runs: Callable[[str], Run]) -> None:
    """Or the property tests would not know."""
    whys: Counter[str] = Counter()
    parted: Counter[str] = Counter()
    for name in CHANGES:
        found = upgrade(scenario_runs(""), scenario_runs(name)).edges
        whys.update(dict(found.gained.whys) | dict(found.lost.whys))
        parted.update(gained=found.gained.parted("yes"), lost=found.lost.parted("yes"))
    assert parted["gained"] and parted["lost"]
    assert set(whys) == {"no bucket in common", "not drawn", "refused by the sketch"}


def test_nothing_depends_on_parts_and_chunks(
    scenario_runs: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = scenario_runs(""), scenario_runs("seed")
    whole = upgrade(a, b)
    monkeypatch.setattr("parity.rows.ROWS_AT_ONCE", 20)
    monkeypatch.setattr(judging, "CHUNK_BYTES", 500)
    assert len(list(parts(a, b, "edges", range(256)))) > 20
    assert upgrade(a, b) == whole


def test_of_many_pairs_a_sample_is_judged(
    scenario_runs: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = scenario_runs(""), scenario_runs("no draws")
    whole, some = (upgrade(a, b, Options(most=most)) for most in (10_000, 40))
    assert not whole.edges.lost.sampled and some.edges.lost.sampled
    assert some.edges.lost.pairs == whole.edges.lost.pairs > 40 == some.edges.lost.sample
    assert set(some.edges.lost.listed) < set(whole.edges.lost.listed)
    estimate, exact = (
        next(gate.found for gate in found.gates if gate.kind == "lost") for found in (some, whole)
    )
    assert 0.8 * exact < estimate < 1.2 * exact
    assert "a sample of 40 of" in fits(some)
    monkeypatch.setattr("parity.rows.ROWS_AT_ONCE", 20)
    assert upgrade(a, b, Options(most=40)) == some


# --- Pictures


@pytest.mark.parametrize("seed", [13, 31, 33])
def test_pictures(seed: int, pictures: list[list[Payload]], tmp_path: Path) -> None:
    history = image_history(seed, pictures)

    def change(spec: Spec) -> None:
        for channel in spec["channels"]:
            channel["minhash"]["seed"] = 9
            channel["draws"] = {"first": 1, "near": 0}
            match = channel["match"]
            match |= {"max_distance": 40} if match["rule"] == "hamming" else {}
            match |= {"min_inliers": 11} if match["rule"] == "inliers" else {}

    a = run_of(tmp_path / "a", history.spec, history.records)
    b = run_of(tmp_path / "b", changed_spec(history.spec, change), history.records)
    result = upgrade(a, b)
    check(result, a, b)
    fits(result)
    assert result.edges.gained.pairs + result.edges.lost.pairs


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[list[Payload]]:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


# --- What is refused, and what no engine would write


class TestRefusals:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        runs.write(Path("a"), runs.sample())

    def other(self, change: Change, source: dict[str, Any] | None = None) -> None:
        data = changed_spec(to_dict(load("text")), change)
        runs.write(Path("b"), runs.sample(), from_dict(data), source)

    def test_equal_contracts(self) -> None:
        self.other(lambda spec: spec.update(name="another name"))
        with pytest.raises(ContractError, match=r"a and b have one contract, .*without --upgrade"):
            upgrade(open_run("a"), open_run("b"))

    def test_other_payloads(self) -> None:
        runs.write(Path("b"), {}, load("photos-small"))
        with pytest.raises(ContractError, match="a is of texts and b of pictures"):
            upgrade(open_run("a"), open_run("b"))

    def test_other_fences(self) -> None:
        self.other(setting("minhash.seed", 2), {"fence": Fence.at("cluster-1", "topic-1", {0: 4}).to_json()})
        with pytest.raises(AlignmentError, match=r"at different fences.*at the other's fence$"):
            upgrade(open_run("a"), open_run("b"))

    def test_a_plain_diff_names_the_way(self) -> None:
        self.other(setting("minhash.seed", 2))
        with pytest.raises(ContractError, match=r"minhash.seed: 1 against 2; .* --upgrade$"):
            diff(open_run("a"), open_run("b"))

    def test_equal_event_sets_align(self) -> None:
        runs.write(Path("c"), runs.sample(), source={"event_set": "12:ab"})
        self.other(setting("minhash.seed", 2), {"event_set": "12:ab"})
        result = upgrade(open_run("c"), open_run("b"))
        assert result.aligned_by == {"event_set": "12:ab"} and result.verdict == "nothing lost"

    @pytest.mark.parametrize("gate", ["missing=1", "lost=x", "lost=1.5"])
    def test_gates_that_are_none(self, gate: str) -> None:
        self.other(setting("minhash.seed", 2))
        with pytest.raises(CrossfadeError, match=gate.partition("=")[0]):
            upgrade(open_run("a"), open_run("b"), Options(gates=parse_gates([gate])))

    def test_a_damaged_record(self) -> None:
        self.other(setting("minhash.seed", 2))
        lost = copy_run(Path("b"), Path("c"), "edges", lambda rows: rows[1:])
        cut = copy_run(lost, Path("d"), "verification", lambda rows: [r | {"record": b"123"} for r in rows])
        with pytest.raises(SourceError, match="channel words has 3 bytes, which is none of tokens"):
            upgrade(open_run("a"), open_run(cut))

    def test_a_damaged_file(self) -> None:
        self.other(setting("minhash.seed", 2))
        file = Path("b/edges/part-0.parquet")
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(SourceError, match="by the manifest"):
            upgrade(open_run("a"), open_run("b"))


def test_features_that_differ_are_no_upgrades_doing(
    scenario_runs: Callable[[str], Run], tmp_path: Path
) -> None:
    """One run took another token from an event: its pairs are told of, and not judged."""
    a, b = scenario_runs(""), scenario_runs("no draws")
    victim = upgrade(a, b).edges.lost.listed[0].id
    where = {"id": victim, "channel": "words"}
    forged = copy_run(b.path, tmp_path / "b", "verification", changed(where, record=bytes(range(16))))
    result = upgrade(a, open_run(forged))
    assert result.unequal_features == 1 and result.edges.lost.unequal > 0
    assert victim not in {end for p in result.edges.lost.listed for end in (p.id, p.earlier)}
    assert next(gate.kind for gate in result.gates if not gate.passed) == "features"
    assert "1 id of the pairs gained and lost" in fits(result)


def test_old_signatures_that_nobody_can_read(scenario_runs: Callable[[str], Run], tmp_path: Path) -> None:
    """Another scheme may have had another width; the features judge all the same."""
    a, b = scenario_runs(""), scenario_runs("seed")
    wide = copy_run(
        a.path, tmp_path / "a", "signatures", lambda rows: [r | {"signature": bytes(7)} for r in rows]
    )
    result, whole = upgrade(open_run(wide), b), upgrade(a, b)
    assert truths(result.edges.gained) == truths(whole.edges.gained)
    assert dict(result.edges.gained.whys).keys() == {"no sketch"} and result.edges.lost == whole.edges.lost
