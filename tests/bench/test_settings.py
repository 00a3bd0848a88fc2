"""Recall and candidates of other settings, from tokens alone, held against specs that have those settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.accuracy.probe import Features, probe
from bench.accuracy.scoring import score
from bench.accuracy.settings import BANDS, Setting, settings, varied
from bench.accuracy.tables import front
from shared.events import parse
from shared.lsh import item_buckets
from shared.sketch import sketch
from shared.spec import Bands, Draws, MinHash, Spec, load
from tests.bench.conftest import Given
from tests.engines import record_table
from tests.hand_made import log

ALL = Draws(first=1024, near=0)


def with_bands(bands: int, rows: int, **match: Any) -> Spec:
    """photos-small's first channel, drawing all, as if it had these bands; of the signatures settings use."""
    spec = load("photos-small")
    channel = spec.channels[0]
    return replace(
        spec,
        channels=(
            replace(
                channel,
                minhash=MinHash(max(BANDS) * rows),
                bands=Bands(bands, rows),
                draws=ALL,
                match=replace(channel.match, **match),
            ),
        ),
    )


def extract(given: Given, spec: Spec) -> Features:
    lines = (given[2].parent.parent / "events.jsonl").read_bytes().splitlines()
    return list(sketch(spec, parse(record_table(log(*enumerate(lines)))).events).features)


def test_a_setting_is_what_a_spec_with_it_would_give(given: Given) -> None:
    protocol, files, cache = given
    spec = with_bands(16, 1, max_distance=110)
    found = settings(protocol, spec, extract(given, spec), files, cache)
    plain = {(entry.bands, entry.rows): entry for entry in found if not entry.cut}
    assert len(plain) == 18
    for bands, rows in ((16, 1), (512, 1), (64, 3), (512, 3)):
        other = with_bands(bands, rows, max_distance=110)
        probed = probe(other, extract(given, other), len(protocol.database))
        entry = plain[bands, rows]
        unrelated = probed.candidates & ~protocol.same_photograph
        assert entry.share == pytest.approx(unrelated.sum() / (~protocol.same_photograph).sum())
        edges = probed.candidates & probed.answers  # a cluster's other members are not candidates here
        assert entry.recall == pytest.approx(score(protocol, edges).whole.recall)
    assert plain[16, 3].share < plain[512, 1].share and plain[16, 3].recall < plain[512, 1].recall


def test_cuts_keep_the_pairs_with_most_agreeing_bands(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol, files, cache = given
    monkeypatch.setattr("bench.accuracy.settings._CUT", ((128, 3),))
    spec = with_bands(128, 3, max_distance=200)
    features, size = extract(given, spec), len(protocol.database)
    cuts = {
        e.cut: e for e in settings(protocol, spec, features, files, cache) if (e.bands, e.rows) == (128, 3)
    }
    present, values = item_buckets(features[0].signatures, spec.channels[0])
    agreeing = np.zeros((len(protocol.queries), size), int)
    for row, mine in zip(present, values, strict=True):
        for other, its in zip(present, values, strict=True):
            if row >= size > other:
                agreeing[row - size, other] = (mine == its).sum()
    related = protocol.same_photograph
    for n in (2, 3, 4, 6, 8):
        assert cuts[f"agreeing >= {n}"].share == pytest.approx((agreeing >= n)[~related].mean())
    positives = [(row, query.original) for row, query in enumerate(protocol.queries) if query.original >= 0]
    for k in (1, 3, 10, 30):
        ranked = [sorted(range(size), key=lambda d: (-row[d], d))[:k] for row in agreeing.tolist()]
        kept = np.array(
            [
                [d in best and row[d] > 0 for d in range(size)]
                for best, row in zip(ranked, agreeing, strict=True)
            ]
        )
        assert cuts[f"best {k}"].share == pytest.approx(kept[~related].mean())
        reached = np.mean([kept[pair] for pair in positives])
        assert cuts[f"best {k}"].recall <= reached
    assert cuts["best 1"].recall < cuts["best 30"].recall == cuts[""].recall
    assert cuts["agreeing >= 8"].share < cuts["agreeing >= 2"].share < cuts[""].share
    for n in (2, 8):
        reached = np.mean([agreeing[pair] >= n for pair in positives])  # within 200 bits every pair matches
        assert cuts[f"agreeing >= {n}"].recall == pytest.approx(reached)


def test_tokens_of_another_extractor_are_not_taken(given: Given, tmp_path: Path) -> None:
    protocol, files, _ = given
    spec = with_bands(16, 1)
    features = extract(given, spec)
    first = settings(protocol, spec, features, files, tmp_path)
    kept = next(tmp_path.glob("tokens-*.npz"))
    with np.load(kept) as held:
        np.savez(kept, tokens=held["tokens"] + 1, offsets=held["offsets"])
    assert settings(protocol, spec, features, files, tmp_path) == first


def test_the_channel_of_words_is_the_one_that_varies() -> None:
    assert varied(with_bands(16, 1)) == 0
    small, large = load("photos-small"), load("photos-large")
    assert small.channels[varied(small)].extractor_name == "image.words"
    assert large.channels[varied(large)].extractor_name == "image.word_pairs"


def test_the_front_leaves_out_what_another_setting_beats() -> None:
    made = [
        Setting("p", "x", b, 1, "", recall, share)
        for b, recall, share in (
            (1, 0.5, 0.1),
            (2, 0.4, 0.2),
            (3, 0.9, 0.3),
            (4, 0.9, 0.4),
            (5, 0.95, 0.3),
            (6, 0.2, 0.0),
        )
    ]
    assert [entry.bands for entry in front(made)] == [6, 1, 5]
