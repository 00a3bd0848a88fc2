"""For every stage a fault: explain names the stage, the side that is wrong, and what is wrong with it."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from parity.explain.document import to_json
from parity.explain.explain import explain
from parity.explain.faults import STAGE_OF
from parity.explain.lines_later import cluster_lines
from parity.explain.result import Decision, Explanation
from parity.explain.runs import RunSide
from parity.explain.verdict import sentences
from shared.errors import ContractError, SourceError
from shared.run import STAGES, open_run
from tests import explained, forged
from tests.explained import Made
from tests.forged import Rows, changed, copy_run, without
from tests.hand_made import event, log, make_channel, make_spec
from tests.histories import Record

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "today"]
CHANNEL = make_channel(
    minhash={"permutations": 16, "seed": 1},
    bands={"count": 8, "rows": 2},
    draws={"first": 2, "near": 1},
    match={"rule": "jaccard", "threshold": "0.5"},
)
SPEC = make_spec(CHANNEL)


def text(number: int) -> str:
    """The words with one of them replaced: two of these have 8 of 12 words in common."""
    return " ".join([*WORDS[:number], f"word{number}", *WORDS[number + 1 :]])


def records(names: Iterable[str] = "abcdefgh") -> list[Record]:
    """Items ten milliseconds apart; of 10, and 1 at first, a later text of their own; then z is deleted."""
    events = [event(name, 1000 + 10 * number, text(number)) for number, name in enumerate(names)]
    events += [event("z", 1500, text(3)), event("z", 1501, None)]
    return log(*((2000 + number, value) for number, value in enumerate(events)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    return explained.make(SPEC, records(), folder / "run", folder / "lake")


Told = Callable[..., tuple[Explanation, list[str]]]


@pytest.fixture
def told(made: Made, tmp_path: Path) -> Told:
    """Explain ids in the good run and in a copy of it with a fault: the explanation and its sentences."""

    def tell(stage: str, change: Callable[[Rows], Rows], *ids: str) -> tuple[Explanation, list[str]]:
        other = copy_run(made.run, tmp_path / "other", stage, change)
        found = explain([made.run_side, RunSide(open_run(other))], ids or ("b", "h"))
        return found, list(sentences(found))

    return tell


def test_nothing_parts(made: Made) -> None:
    for sides in ([made.run_side], [made.state_side], [made.run_side, made.state_side]):
        for ids in (("b", "h"), ("h", "b"), ("h",), ("z",), ("a", "z")):
            found = explain(sides, ids)
            assert found.sound and found.parting is None
    first, second = sentences(found)
    assert first == "Nothing parts: A and B store the same of a and z at every stage."
    assert second == "Each side's own rows follow from each other at every stage."
    assert sentences(explain([made.run_side], ["b"]))[0] == "Nothing parts: one side is looked at."


def test_event_that_is_missing(told: Told) -> None:
    found, said = told("items", without(id="h"))
    assert found.parting is not None and found.parting.stage == "event"
    assert said == [
        "They part at event because h is only in A; B has read past its record (partition 0, offset 7).",
        "A's own rows follow from each other at every stage.",
        "B's own rows do not follow from each other at event: rows of later stages are stored of h, and none "
        "of items. Nor do they at bucket, candidate, match, cluster.",
        "So it is B that is wrong at event.",
    ]


def test_event_of_another_time(told: Told) -> None:
    times = dict.fromkeys(("event_time", "version_time", "effective_time"), 1)
    _, said = told("items", changed({"id": "h"}, **times))
    assert said[0] == (
        "They part at event because the rows of h differ: event time 1070 in A and 1 in B; of the two events "
        "A's is the winner; B has read past its record (partition 0, offset 7)."
    )
    assert "the lake's record at partition 0, offset 7 has event time 1070" in said[2]


def test_times_that_do_not_follow(told: Told) -> None:
    _, said = told("items", changed({"id": "h"}, version_time=5))
    assert said[0].startswith(
        "They part at event because the rows of h differ: version time 1070 in A and 5 in B"
    )
    assert "of h are 5 and 1070; its record gives 1070 and 1070" in said[2]


def test_status_is_the_features_matter(told: Told) -> None:
    _, said = told("items", changed({"id": "h"}, status="no_features"))
    assert said[0] == (
        "They part at features because the status of h is ok in A and no_features in B; the event is the "
        "same."
    )
    assert "at features: the status of h is no_features; its payload in the lake gives ok" in said[2]


def test_features(told: Told) -> None:
    found, said = told("verification", _last_token_less("h"))
    assert found.parting is not None and found.parting.stage == "features"
    assert said[0] == (
        "They part at features because the record of h in channel words differs: 10 tokens in A, 9 tokens in "
        "B (9 in common)."
    )
    assert said[2].startswith(
        "B's own rows do not follow from each other at features: of h in channel words: the record is not "
        "what the payload in the lake gives."
    )
    assert said[3] == "So it is B that is wrong at features."


def _last_token_less(item: str) -> Callable[[Rows], Rows]:
    return lambda rows: [row | {"record": row["record"][:-8]} if row["id"] == item else row for row in rows]


def _edit(column: str, item: str, change: Callable[[bytes], bytes]) -> Callable[[Rows], Rows]:
    return lambda rows: [row | {column: change(row[column])} if row["id"] == item else row for row in rows]


def test_signature(told: Told) -> None:
    found, said = told("signatures", _edit("signature", "h", lambda s: s[:8] + b"\1\0\0\0" + s[12:]))
    assert found.parting is not None and found.parting.stage == "signature"
    assert said[0].startswith("They part at signature because the signature of h in channel words differs: ")
    assert said[0].endswith(" in A, 1 in B (1 of 16 values differ, the first at 2).")
    assert said[2].startswith(
        "B's own rows do not follow from each other at signature: of h in channel words: value 2 of the "
        "signature is not what the record gives."
    )
    (wrong,) = found.sides[1].items[1].channels
    assert (wrong.follows, wrong.first_wrong) == (False, 2)
    assert said[3] == "So it is B that is wrong at signature."


@pytest.mark.parametrize(
    ("stage", "column", "change", "where", "what"),
    [
        ("verification", "record", lambda r: r[:-1], "features", "79 bytes, which are no whole numbers of 8"),
        ("verification", "record", lambda r: r[8:16] + r[:8], "features", "not in ascending order"),
        ("signatures", "signature", lambda s: s[:-4], "signature", "the signature has 60 bytes and not 64"),
    ],
)
def test_damaged_features(
    told: Told, stage: str, column: str, change: Callable[[bytes], bytes], where: str, what: str
) -> None:
    found, said = told(stage, _edit(column, "h", change))
    assert found.parting is not None and found.parting.stage == where
    assert f"at {where}: of h in channel words" in said[2] and what in said[2]


def test_features_without_a_signature(told: Told) -> None:
    _, said = told("signatures", without(id="h"))
    assert said[0] == (
        "They part at signature because the signature of h in channel words differs: 16 values in A, none in "
        "B."
    )
    assert "at signature: of h in channel words: a verification record is stored and no signature" in said[2]


def test_bucket_entry_that_the_engine_lost(told: Told, made: Made) -> None:
    from parity.explain import sums
    from shared.stored import bucket_entries

    side = made.run_side
    entries = bucket_entries(side.about.spec, side.pieces(["h"])["h"])
    hashes = sums.entry_hashes(side.about.spec, entries)
    count, trace = sums.trace({entry: value for entry, value in hashes.items() if entry[1] != 5})
    found, said = told("buckets", changed({"id": "h"}, entries=count, trace=trace))
    assert found.parting is not None and found.parting.stage == "bucket"
    assert said == [
        "They part at bucket because h is in 8 buckets in A and 7 in B.",
        "A's own rows follow from each other at every stage.",
        "B's own rows do not follow from each other at bucket: the signatures of h give 8 bucket entries, "
        "the engine held 7: the one of words 5 is lost.",
        "So it is B that is wrong at bucket.",
    ]


def test_candidate_that_the_engine_did_not_draw(told: Told, made: Made) -> None:
    from parity.explain import sums

    (item,) = explain([made.run_side], ["h"]).sides[0].items
    count, trace = sums.trace(sums.id_hashes(other for other in item.draws.drawn if other != "c"))
    found, said = told("candidates", changed({"id": "h"}, pairs=count, trace=trace))
    assert found.parting is not None and found.parting.stage == "candidate"
    assert said == [
        "They part at candidate because h draws 7 items in A and 6 in B: B's engine did not draw c.",
        "A's own rows follow from each other at every stage.",
        "B's own rows do not follow from each other at candidate: by the run's signatures h draws 7 items, "
        "the engine drew 6: not c.",
        "So it is B that is wrong at candidate.",
    ]


def test_candidate_too_many(told: Told, made: Made) -> None:
    from parity.explain import sums

    (item,) = explain([made.run_side], ["g"]).sides[0].items
    assert "d" not in item.draws.drawn
    count, trace = sums.trace(sums.id_hashes([*item.draws.drawn, "d"]))
    _, said = told("candidates", changed({"id": "g"}, pairs=count, trace=trace), "g")
    assert said[2].endswith("the engine drew 6: d too.")


def test_edge_that_is_missing(told: Told) -> None:
    found, said = told("edges", without(earlier="b", later="h"))
    assert found.parting is not None and found.parting.stage == "match"
    assert said == [
        "They part at match because A has an edge of h with b (words 8/12 = 0.666) and B has none.",
        "A's own rows follow from each other at every stage.",
        "B's own rows do not follow from each other at match: verification of h with b gives words 8/12 = "
        "0.666, no edge is stored.",
        "So it is B that is wrong at match.",
    ]
    pair = found.sides[1].pair
    assert pair is not None and pair.stored is None and pair.verified is not None and pair.drawn


def test_edge_with_other_numbers(told: Told) -> None:
    _, said = told("edges", changed({"earlier": "b", "later": "h"}, numerator=9))
    assert said[0] == (
        "They part at match because the edge of h with b is words 8/12 = 0.666 in A and words 9/12 = 0.750 "
        "in B."
    )
    assert "gives words 8/12 = 0.666, the stored edge says words 9/12 = 0.750" in said[2]


def test_edge_of_a_pair_that_is_not_drawn(told: Told) -> None:
    row = {"earlier": "d", "later": "g", "channel": "words", "numerator": 8, "denominator": 12}
    _, said = told("edges", lambda rows: [*rows, row], "d", "g")
    assert said[0] == (
        "They part at match because B has an edge of g with d (words 8/12 = 0.666) and A has none."
    )
    assert "at match: g with d is no drawn pair, the stored edge says words 8/12 = 0.666" in said[2]


def test_head(told: Told) -> None:
    head = {"head": "h", "channel": "", "numerator": 0, "denominator": 0}
    found, said = told("clusters", changed({"id": "h"}, **head))
    assert found.parting is not None and found.parting.stage == "cluster"
    assert said == [
        "They part at cluster because h is with head a (words 8/12 = 0.666) in A and a head in B.",
        "A's own rows follow from each other at every stage.",
        "B's own rows do not follow from each other at cluster: by its edges and their heads h should be "
        "with head a (words 8/12 = 0.666); stored is a head.",
        "So it is B that is wrong at cluster.",
    ]


def test_head_of_a_neighbour_that_is_lost(told: Told) -> None:
    """Of h and b nothing parts; but what h's head rests on is not there."""
    found, said = told("clusters", without(id="g"))
    assert found.parting is None and not found.sound
    assert said[2] == (
        "B's own rows do not follow from each other at cluster: of h: g, which it matches, has no head."
    )


def test_rows_of_what_is_not_in_the_index(told: Told) -> None:
    row = {"id": "z", "head": "a", "channel": "", "numerator": 0, "denominator": 0}
    _, said = told("clusters", lambda rows: [*rows, row], "z")
    assert "at cluster: z is not in the index, and its head is stored as a" in said[2]


@pytest.mark.parametrize("stage", STAGES)
def test_a_row_that_is_there_twice(told: Told, stage: str) -> None:
    by = STAGES[stage].shard_by
    found, said = told(stage, lambda rows: [*rows, next(row for row in rows if row[by] == "h")], "h")
    assert found.parting is not None and found.parting.stage == STAGE_OF[stage]
    assert f"{stage} has 2 rows of h in B, more than in A" in said[0]
    assert f"{stage} has 2 rows of h where one may be" in said[2]


def test_all_of_an_id_on_one_side_alone(made: Made, tmp_path: Path) -> None:
    """Another log, or not read yet: no fault of either."""
    shorter = explained.make(SPEC, records()[:5], tmp_path / "shorter")
    found = explain([made.run_side, shorter.run_side], ["b", "h"])
    assert list(sentences(found)) == [
        "They part at event because h is only in A; B has not read its record yet (partition 0, offset 7: B "
        "stands at 5).",
        "A and B stand at different places, so this may be no fault: topic topic-1 of cluster cluster-1 at "
        "0:10 against topic topic-1 of cluster cluster-1 at 0:5.",
        "Each side's own rows follow from each other at every stage.",
    ]
    assert found.sides[1].items[1].event is None and found.sides[1].pair is None


def late(made: Made, tmp_path: Path, ids: list[str]) -> list[str]:
    """A against B, which has read more: an item with a time before all others, in their buckets."""
    more = [*records(), (0, 10, 2500, event("late", 990, text(0)))]
    longer = explained.make(SPEC, more, tmp_path / "longer")
    return list(sentences(explain([made.run_side, longer.run_side], ids)))


def test_another_item_made_the_difference(made: Made, tmp_path: Path) -> None:
    said = late(made, tmp_path, ["b"])
    assert said[:3] == [
        "They part at candidate because b draws 1 item in A and 2 in B: late in B alone.",
        "In B b draws late in bucket words 1: rank 0, one of the first 2.",
        "In A it is not there: A has no item of that id; A has not read its record yet (partition 0, "
        "offset 10: A stands at 10).",
    ]


def test_another_item_pushed_one_out(made: Made, tmp_path: Path) -> None:
    said = late(made, tmp_path, ["b", "h"])
    assert said[0] == (
        "They part at candidate because b draws 1 item in A and 2 in B: late in B alone (the two are a drawn "
        "pair on both sides)."
    )
    assert said[-1] == "Each side's own rows follow from each other at every stage."


def test_who_was_pushed_out_and_by_whom(made: Made, tmp_path: Path) -> None:
    more = [*records(), *((0, 10 + n, 2500 + n, event(f"late{n}", 980 + n, text(n))) for n in range(3))]
    longer = explained.make(SPEC, more, tmp_path / "longer")
    found = explain([made.run_side, longer.run_side], ["h"])
    assert found.parting is not None and found.parting.stage == "candidate"
    (reason, left_out, *strangers) = found.parting.more[:5]
    assert reason.startswith("in A h draws ") and "one of the " in reason
    assert left_out.startswith("in B it is left out there: its rank is ")
    assert strangers[0].startswith("in B's bucket and not in A's is late")
    assert "A has no item of that id; A has not read its record yet" in strangers[0]


def test_contracts_must_be_equal(made: Made, tmp_path: Path) -> None:
    other = explained.make(make_spec(make_channel()), records(), tmp_path / "other")
    with pytest.raises(ContractError, match=r"differ in: channels\[0\].bands.count: 8 against 2"):
        explain([made.run_side, other.run_side], ["a"])


def test_an_id_that_nobody_has(made: Made) -> None:
    with pytest.raises(SourceError, match=r"^neither .* nor the state has an item 'b\\x1b'; give the id as"):
        explain([made.run_side, made.state_side], ["a", "b\x1b"])
    with pytest.raises(SourceError, match=r"^the state does not have an item 'nope'"):
        explain([made.state_side], ["nope"])


class TestLake:
    def test_is_the_one_that_a_run_names(self, made: Made) -> None:
        for sides in ([made.run_side], [made.run_side, made.state_side]):
            for side in explain(sides, ["a"]).sides:
                assert (side.items[0].payload, side.items[0].sketched) == (text(0), "yes")
        alone = explain([made.state_side], ["a"])
        assert alone.sides[0].lake == "" and alone.notes[0].startswith("no lake was looked into")

    def test_is_asked_for_what_is_in_clear(self, made: Made) -> None:
        pair = explain([made.run_side], ["b", "h"]).sides[0].pair
        assert pair is not None and pair.shingles is not None
        assert pair.shingles.common == ("the", "brown", "fox")
        assert pair.shingles.earlier_only == ("word1", "lazy")
        assert pair.shingles.later_only == ("quick", "word7")

    def test_of_another_log_is_refused(self, made: Made, tmp_path: Path) -> None:
        explained.write(tmp_path / "lake", records(), topic="another")
        with pytest.raises(SourceError, match="is a lake of another log than the state"):
            explain([made.state_side], ["a"], tmp_path / "lake")
        with pytest.raises(SourceError, match="is no lake"):
            explain([made.state_side], ["a"], tmp_path)

    def test_that_ends_before_a_record(self, made: Made, tmp_path: Path) -> None:
        explained.write(tmp_path / "lake", records()[:3])
        found = explain([made.run_side], ["h"], tmp_path / "lake")
        assert found.sides[0].items[0].sketched == "the lake does not reach partition 0, offset 7"
        assert found.sound

    def test_whose_record_is_another(self, made: Made, tmp_path: Path) -> None:
        others = records()
        others[7], others[6] = (*others[7][:3], others[6][3]), (*others[6][:3], others[7][3])
        explained.write(tmp_path / "lake", others)
        found = explain([made.run_side], ["h"], tmp_path / "lake")
        assert found.sides[0].faults[0].stage == "event"
        assert "offset 7 has id g and event time 1060 and digest" in found.sides[0].faults[0].text

    def test_that_is_gone_is_no_error(self, made: Made, tmp_path: Path) -> None:
        run = tmp_path / "run"
        shutil.copytree(made.run, run)
        manifest = orjson.loads((run / "manifest.json").read_bytes())
        manifest["input"]["lake"] = str(tmp_path / "nowhere")
        (run / "manifest.json").write_bytes(orjson.dumps(manifest))
        assert explain([RunSide(open_run(run))], ["a"]).sides[0].lake == ""


def test_the_document_is_json_and_documented(made: Made) -> None:
    found = orjson.loads(to_json(explain([made.run_side, made.state_side], ["b", "h"])))
    page = (Path(__file__).parent.parent / "docs" / "explain-json.md").read_text("utf-8")
    assert (found["format"], found["version"], found["sound"]) == ("crossfade-explain", 1, True)
    assert [bucket["band"] for bucket in found["sides"][0]["pair"]["buckets"]] == [3, 4, 6]
    for name in set(_names(found)):
        assert f"`{name}`" in page, name


def _names(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def test_forged_runs_are_whole(made: Made, tmp_path: Path) -> None:
    """Or else the faults above would be of files."""
    from parity.files import verify_contents

    verify_contents(open_run(forged.copy_run(made.run, tmp_path / "copy", "edges", lambda rows: rows)))


def decision_of(item: str, texts: dict[str, str], tmp_path: Path, **channel: Any) -> tuple[Decision, str]:
    """An item's head decision, and the lines that are shown of it."""
    bands = {"minhash": {"permutations": 64, "seed": 1}, "bands": {"count": 64, "rows": 1}}
    spec = make_spec(make_channel(**(bands | channel)))
    values = [event(name, 1000 + n, words) for n, (name, words) in enumerate(texts.items())]
    made = explained.make(spec, log(*((2000, value) for value in values)), tmp_path / "run")
    found = explain([made.run_side], [item])
    shown = " / ".join(line.text for line in cluster_lines(found.sides[0], found))
    return found.sides[0].items[0].decision, shown


def test_a_tie_goes_to_the_earlier_head(tmp_path: Path) -> None:
    texts = {"p": "a b c d", "q": "e f g h", "x": "a b c e f g"}
    rule = {"rule": "jaccard", "threshold": "0.4"}
    decision, shown = decision_of("x", texts, tmp_path, match=rule)
    assert [(head.head, head.chosen, head.ties, head.checked) for head in decision.possible] == [
        ("p", True, False, False),
        ("q", False, True, False),
    ]
    assert shown == (
        "p: words 3/7 = 0.428; chosen / q: words 3/7 = 0.428; as strong as the chosen one, but later / "
        "with head p (words 3/7 = 0.428)"
    )


def test_the_stronger_head_is_chosen_though_it_is_later(tmp_path: Path) -> None:
    texts = {"p": "a b c d", "q": "e f g h", "x": "a b c e f g h"}
    rule = {"rule": "jaccard", "threshold": "0.3"}
    decision, _ = decision_of("x", texts, tmp_path, match=rule)
    assert [(head.head, head.chosen, head.ties) for head in decision.possible] == [
        ("p", False, False),
        ("q", True, False),
    ]


def test_the_head_check(tmp_path: Path) -> None:
    """Of three alike each draws the nearest alone, so the last has no edge with the first."""
    texts = dict.fromkeys(("p", "m", "x"), "a b c d")
    decision, shown = decision_of("x", texts, tmp_path, draws={"first": 0, "near": 1})
    (head,) = decision.possible
    assert (head.head, head.through, head.checked, head.chosen) == ("p", ("m",), True, True)
    assert shown == (
        "p: words 4/4 = 1.000, verified now: it is the head of m, which it matches; chosen / "
        "with head p (words 4/4 = 1.000)"
    )
