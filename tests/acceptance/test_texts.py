"""Real texts through real Spark and the real consumer: exact results, and parity."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from stream.logs.settings import KafkaSettings
from tests.acceptance import sentences
from tests.acceptance.commands import ROOT, SHARED_DATA, assert_parity, evaluate, needs_data, through_both
from tests.conftest import Logs

pytestmark = pytest.mark.spark

EXACT = {"precision": 1, "recall": 1, "f1": 1}
ARTICLES = SHARED_DATA / "text_mccormick_articles" / "data"


def write_events(path: Path, texts: dict[str, str]) -> Path:
    """One upsert a text, a millisecond apart."""
    with path.open("w", encoding="utf-8") as file:
        for time, (item, text) in enumerate(texts.items()):
            event = {"id": item, "op": "upsert", "event_time": time, "payload": {"text": text}}
            file.write(json.dumps(event) + "\n")
    return path


@needs_data("text_mccormick_articles")
@pytest.mark.kafka
def test_all_copies_among_2500_articles_and_no_others(kafka_logs: Logs, spark: SparkSession) -> None:
    folder = kafka_logs.folder
    lines = (ARTICLES / "articles_2500.train").read_text("utf-8").splitlines()
    texts = dict(line.split(" ", 1) for line in lines)
    preset = (ROOT / "shared" / "presets" / "text.toml").read_text("utf-8")
    assert len(texts) == 2_500 and 'threshold = "0.7"' in preset
    spec = folder / "articles.toml"
    spec.write_text(preset.replace('threshold = "0.7"', 'threshold = "0.5"'))
    runs = through_both(kafka_logs, spec, write_events(folder / "events.jsonl", texts))
    assert_parity(runs)
    for run in (runs.batch, runs.stream):
        found = evaluate(run, ARTICLES / "articles_2500.truth")
        for by in ("edges", "clusters"):
            assert found[by] == EXACT | {"found": 20, "truth": 20, "correct": 20}


def test_edited_documents_half_of_them_near_the_threshold(tmp_path: Path, spark: SparkSession) -> None:
    logs = Logs("file", KafkaSettings(), tmp_path)
    texts = sentences.documents()
    pairs = sentences.jaccards(texts, Fraction(6, 10))
    truth = {pair for pair, ratio in pairs.items() if Fraction(*ratio) >= Fraction(7, 10)}
    near = {pair for pair in truth if Fraction(*pairs[pair]) < Fraction(8, 10)}
    below = len(pairs) - len(truth)
    assert len(truth) >= 200 and 0.45 <= len(near) / len(truth) <= 0.55 and below >= 40

    runs = through_both(logs, "text", write_events(tmp_path / "events.jsonl", texts))
    assert_parity(runs)
    rows = runs.stream.read("edges").to_pylist()
    found = {tuple(sorted((row["earlier"], row["later"]))): row for row in rows}
    assert found.keys() <= truth  # precision 1
    assert len(found) >= 0.99 * len(truth)
    for pair, row in found.items():
        assert (row["numerator"], row["denominator"]) == pairs[pair]
