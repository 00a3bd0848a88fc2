import unicodedata
from pathlib import Path
from typing import Any

import pytest

from shared import contract, minhash
from shared.errors import ContractError
from shared.spec import Spec, from_dict, load, preset_names, to_dict
from tests import golden_files

TEXT = """
# A spec with everything in it.
name = "all"

[times]
max_skew_ms = 1000
max_lateness_ms = 2000
retention_ms = 3000

[limits]
payload_bytes = 4000
image_pixels = 5000

[clusters]
rule = "heads"

[[channels]]
name = "words"
extractor = "text.shingles"
parameters = { unit = "word", size = 3, normalise = "NFKC", casefold = true }
minhash = { permutations = 128, seed = 1 }
bands = { count = 32, rows = 4 }
draws = { first = 4, near = 4 }
match = { rule = "jaccard", threshold = "0.7", min_agreeing_bands = 2 }
"""

SAME = [
    ("comments", TEXT.replace("# A spec with everything in it.", "# Another comment.\n\n")),
    ("name", TEXT.replace('name = "all"', 'name = "another"')),
    ("order of keys", TEXT.replace("{ count = 32, rows = 4 }", "{ rows = 4, count = 32 }")),
    ("gates", TEXT + '\n[gates]\nwrong = 3\nmissing = "0.01%"\n'),
    ("engine", TEXT + "\n[engine]\npartitions = 64\n"),
    ("a threshold's zeros", TEXT.replace('"0.7"', '"0.700"')),
    ("a default said aloud", TEXT.replace("casefold = true", "casefold = true").replace(", seed = 1", "")),
]

# Every field of `TEXT`, and another value of it.
CHANGES: dict[str, Any] = {
    "times.max_skew_ms": 1001,
    "times.max_lateness_ms": 2001,
    "times.retention_ms": 3001,
    "limits.payload_bytes": 4001,
    "clusters.rule": "components",
    "channels[0].name": "others",
    "channels[0].parameters.unit": "character",
    "channels[0].parameters.size": 4,
    "channels[0].parameters.normalise": "none",
    "channels[0].parameters.casefold": False,
    "channels[0].minhash.permutations": 256,
    "channels[0].minhash.seed": 2,
    "channels[0].bands.count": 31,
    "channels[0].bands.rows": 3,
    "channels[0].draws.first": 5,
    "channels[0].draws.near": 5,
    "channels[0].match.rule": "agreement",
    "channels[0].match.threshold": "0.71",
    "channels[0].match.min_agreeing_bands": 3,
}


def parse(text: str) -> Spec:
    import tomllib

    return from_dict(tomllib.loads(text))


def changed(path: str, value: Any) -> Spec:
    data = to_dict(parse(TEXT))
    place: Any = data
    *parents, last = path.replace("channels[0]", "channels.0").split(".")
    for name in parents:
        place = place[int(name)] if name == "0" else place[name]
    assert place[last] != value
    place[last] = value
    return from_dict(data)


@pytest.mark.parametrize(("what", "text"), SAME, ids=[what for what, _ in SAME])
def test_what_changes_no_result_leaves_the_id(what: str, text: str) -> None:
    assert contract.contract_id(parse(text)) == contract.contract_id(parse(TEXT))


def test_the_changes_below_cover_every_field() -> None:
    fields = set(contract.flat(to_dict(parse(TEXT)))) - {"name", "channels[0].extractor"}
    fields -= {"limits.image_pixels"}  # see test_pixels_count_for_pictures_alone
    assert fields == set(CHANGES)


@pytest.mark.parametrize("path", CHANGES)
def test_every_field_changes_the_id(path: str) -> None:
    spec = changed(path, CHANGES[path])
    assert contract.contract_id(spec) != contract.contract_id(parse(TEXT))
    different = [
        name for name, _, _ in contract.differences(contract.contract(parse(TEXT)), contract.contract(spec))
    ]
    assert path in different


def test_another_extractor_changes_the_id() -> None:
    ids = {contract.contract_id(from_dict(_vectors(rule))) for rule in ("hamming", "jaccard")}
    assert len(ids | {contract.contract_id(parse(TEXT))}) == 3


def _vectors(rule: str) -> dict[str, Any]:
    match = {"rule": rule, "max_distance": 3} if rule == "hamming" else {"rule": rule, "threshold": "0.7"}
    channel = to_dict(parse(TEXT))["channels"][0]
    channel |= {"extractor": "embedding.hyperplanes", "parameters": {"dimensions": 4}, "match": match}
    return {"name": "vectors", "channels": [channel]}


def test_a_second_channel_and_their_order_change_the_id() -> None:
    one = to_dict(parse(TEXT))
    more = one["channels"][0] | {"name": "more"}
    two, swapped = one | {"channels": [*one["channels"], more]}, one | {"channels": [more, *one["channels"]]}
    assert len({contract.contract_id(from_dict(data)) for data in (one, two, swapped)}) == 3


def test_the_code_is_in_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [contract.contract_id(parse(TEXT))]
    monkeypatch.setattr(contract, "SEMANTICS_VERSION", 2)
    ids.append(contract.contract_id(parse(TEXT)))
    monkeypatch.setattr(unicodedata, "unidata_version", "99.0.0")
    ids.append(contract.contract_id(parse(TEXT)))
    monkeypatch.setattr(minhash, "permutations_digest", lambda count, seed: "0" * 16)
    ids.append(contract.contract_id(parse(TEXT)))
    assert len(set(ids)) == 4


def test_unicode_counts_for_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = contract.contract_id(from_dict(_vectors("hamming")))
    monkeypatch.setattr(unicodedata, "unidata_version", "99.0.0")
    assert contract.contract_id(from_dict(_vectors("hamming"))) == before


def test_pixels_count_for_pictures_alone() -> None:
    def ids(data: dict[str, Any]) -> set[str]:
        limits = [{"payload_bytes": 9, "image_pixels": pixels} for pixels in (5, 6)]
        return {contract.contract_id(from_dict(data | {"limits": each})) for each in limits}

    assert len(ids(to_dict(load("photos-small")))) == 2
    assert len(ids(to_dict(load("text")))) == 1


def test_a_contract_survives_json_with_its_id() -> None:
    import orjson

    spec = parse(TEXT)
    stored = orjson.loads(orjson.dumps(contract.contract(spec)))
    assert contract.id_of(stored) == contract.contract_id(spec)


@pytest.mark.parametrize("name", preset_names())
def test_preset_ids_are_golden(name: str) -> None:
    """A changed id makes every stored run and state of users incomparable: do it only on purpose."""
    golden_files.check(f"contract-{name}.txt", contract.contract_id(load(name)) + "\n")


def test_no_golden_is_left_of_a_preset_that_is_gone() -> None:
    golden = {
        path.stem.removeprefix("contract-") for path in Path(golden_files.GOLDEN).glob("contract-*.txt")
    }
    assert golden == set(preset_names())


def test_unequal_contracts_are_refused_with_both_ids_and_the_fields() -> None:
    a, b = parse(TEXT), changed("channels[0].bands.rows", 3)
    left, right = contract.contract(a), contract.contract(b)
    contract.require_equal("x", left, contract.id_of(left), "y", left, contract.id_of(left))
    with pytest.raises(ContractError) as caught:
        contract.require_equal("x", left, contract.id_of(left), "y", right, contract.id_of(right))
    message = str(caught.value)
    assert f"x has contract {contract.id_of(left)}" in message and f"y has {contract.id_of(right)}" in message
    assert message.endswith("They differ in: channels[0].bands.rows: 4 against 3")
