"""Queries against the database alone, held against runs over the database and one query."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from bench.accuracy import pictures
from bench.accuracy.probe import probe, read_features
from bench.accuracy.protocol import Sizes, choose
from bench.accuracy.scoring import answers_of_run
from shared.errors import SpecError
from shared.events import parse
from shared.run import open_run
from shared.sketch import sketch
from shared.spec import from_dict, load, to_dict
from tests import oracle
from tests.batch.running import make_lake, run_backfill
from tests.bench.photographs import write_photographs
from tests.engines import record_table
from tests.hand_made import event, log, make_channel, make_spec, rule

WORDS = "abcdefgh"


@pytest.mark.parametrize("seed", range(40))
def test_it_says_what_the_oracle_says_of_each_query_alone(seed: int) -> None:
    """Hot buckets of one row, small draws, two channels, a band filter: whatever the rules have."""
    rng = random.Random(seed)
    spec = make_spec(
        make_channel(
            "narrow",
            minhash={"permutations": 4, "seed": 1},
            bands={"count": rng.choice([2, 4]), "rows": 1},
            draws={"first": rng.randrange(3), "near": rng.randrange(3)},
            match=rule(rng.choice(["0.6", "0.8"]), agreeing=rng.randrange(3)),
        ),
        make_channel(
            "pairs",
            parameters={"unit": "word", "size": 2, "normalise": "NFKC", "casefold": True},
            draws={"first": rng.randrange(2), "near": rng.randrange(2)},
            match=rule("0.3", agreeing=rng.randrange(3)),
        ),
    )
    size = 25
    texts = [" ".join(rng.choices(WORDS, k=rng.choice([0, 1, 3, 4, 6]))) for _ in range(size + 15)]
    records = log(*((i, event(f"{i:02}", i, text)) for i, text in enumerate(texts)))
    features = list(sketch(from_dict(spec), parse(record_table(records)).events).features)
    found = probe(from_dict(spec), features, size)
    for query in range(size, len(texts)):
        names = [f"{i:02}" for i in (*range(size), query)]
        expected = oracle.expect(spec, [*records[:size], records[query]])
        edges = [(name, names[-1]) in expected.edges for name in names[:-1]]
        heads = [expected.clusters[name][0] for name in names]
        answers = [edge or head == heads[-1] for edge, head in zip(edges, heads[:-1], strict=True)]
        drawn, _, _ = oracle.draw(spec["channels"], names, expected.signatures)
        candidates = [(name, names[-1]) in drawn for name in names[:-1]]
        assert found.answers[query - size].tolist() == answers
        assert found.candidates[query - size].tolist() == candidates
        last = names.pop()
        verified = [
            drawn and enough_bands(spec, expected, name, last)
            for drawn, name in zip(candidates, names, strict=True)
        ]
        assert found.verified[query - size].tolist() == verified


def enough_bands(spec: dict[str, Any], expected: oracle.Expected, a: str, b: str) -> bool:
    """Whether the last channel looks at the pair: both have features there, and enough bands agree."""
    channel = spec["channels"][-1]
    one, other = (expected.signatures.get((name, channel["name"])) for name in (a, b))
    if one is None or other is None:
        return False
    bands = range(channel["bands"]["count"])
    agreeing = sum(
        oracle.band_values(channel, one, i) == oracle.band_values(channel, other, i) for i in bands
    )
    return agreeing >= channel["match"]["min_agreeing_bands"]


@pytest.mark.slow
@pytest.mark.spark
def test_it_says_what_a_backfill_says_of_attacked_pictures(tmp_path: Path, spark: SparkSession) -> None:
    """One run of everything gives the features; a run for each of three queries gives what is true of it."""
    write_photographs(tmp_path / "photographs", 30)
    protocol = choose(tmp_path / "photographs", Sizes(25, 1, 1), held_out=False)
    folder, _ = pictures.make(protocol, tmp_path / "cache")
    files = pictures.paths(protocol, folder)
    pictures.write_events(protocol, files, tmp_path / "events.jsonl")
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    spec, size = to_dict(load("photos-small")), len(protocol.database)

    def run(name: str, values: list[bytes]) -> Path:
        lake = make_lake(tmp_path / f"lake-{name}", log(*enumerate(values)))
        run_backfill(spark, spec, lake, tmp_path / name)
        return tmp_path / name

    whole = open_run(run("whole", lines))
    found = probe(from_dict(spec), read_features(protocol, whole), size)
    wanted = ("jpeg 50", "rotate 60", "crop 20")
    chosen = [
        row for row, query in enumerate(protocol.queries) if query.attack in wanted and query.original == 0
    ]
    assert len(chosen) == 3
    for row in chosen:
        alone = open_run(run(f"alone-{row}", [*lines[:size], lines[size + row]]))
        only = protocol.queries[row]
        edges = {tuple(ends) for ends in zip(*_columns(alone.read("edges"), "earlier", "later"), strict=True)}
        heads = dict(zip(*_columns(alone.read("clusters"), "id", "head"), strict=True))
        expected = [
            (name, only.item) in edges or heads[name] == heads[only.item] for name in protocol.database
        ]
        assert found.answers[row].tolist() == expected
    by_row = {protocol.queries[row].attack: found.answers[row, 0] for row in chosen}
    assert by_row["jpeg 50"]
    assert answers_of_run(protocol, whole).shape == found.answers.shape


def test_clusters_by_components_are_not_probed() -> None:
    spec = from_dict(make_spec(rule="components"))
    with pytest.raises(SpecError, match="components"):
        probe(spec, [], 0)


def _columns(table: pa.Table, *names: str) -> list[list[str]]:
    return [table.column(name).to_pylist() for name in names]
