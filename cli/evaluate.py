"""`crossfade evaluate`: precision, recall and F1 of a run against labelled pairs."""

from pathlib import Path
from typing import Any

import click
import orjson

from parity.evaluate import Evaluation, Score, evaluate
from parity.show import console, counted, printable, table
from shared.run import open_run

_NAMED = 5


@click.command()
@click.argument("run")
@click.option(
    "--truth", required=True, type=click.Path(path_type=Path), help="Labelled pairs: two ids a line."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, truth: Path, as_json: bool) -> None:
    """Hold RUN against labelled pairs, by its edges and by its clusters (all pairs in one cluster).

    A pair of which an item was deleted is left out. Other ids that are not in the index count as missed.
    """
    result = evaluate(open_run(run), truth)
    if as_json:
        click.echo(orjson.dumps(document(result), option=orjson.OPT_INDENT_2))
        return
    out = console()
    rows = [(name, *_row(score)) for name, score in (("edges", result.edges), ("clusters", result.clusters))]
    out.print(table("Pairs", ["by", "found", "in truth", "correct", "precision", "recall", "F1"], rows))
    out.print()
    for line in _notes(result):
        out.print(line)


def document(result: Evaluation) -> dict[str, Any]:
    """Plain JSON values."""
    scores = {
        name: {
            "found": score.found,
            "truth": score.truth,
            "correct": score.correct,
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
        }
        for name, score in (("edges", result.edges), ("clusters", result.clusters))
    }
    ids = {"unknown": result.unknown, "failed": result.failed, "deleted": result.deleted}
    counts = {"pairs": result.pairs, "repeated": result.repeated, "left_out": result.left_out}
    return scores | counts | ids | {"header": result.header}


def _row(score: Score) -> tuple[int, int, int, str, str, str]:
    rates = ["-" if rate is None else f"{rate:.4f}" for rate in (score.precision, score.recall, score.f1)]
    return score.found, score.truth, score.correct, rates[0], rates[1], rates[2]


def _notes(result: Evaluation) -> list[str]:
    notes = [f"{counted(result.pairs, 'distinct pair')} in the truth"]
    if result.header:
        notes.append(f"the first line was taken for a header: {printable(result.header, 60)}")
    if result.repeated:
        notes.append(f"{counted(result.repeated, 'repeated pair')} left out")
    if result.left_out:
        notes.append(f"{counted(result.left_out, 'pair')} left out because an item was deleted")
    for what, ids in (("that the run never saw", result.unknown), ("with an error status", result.failed)):
        if ids:
            names = ", ".join(printable(name, 30) for name in ids[:_NAMED])
            more = ", …" if len(ids) > _NAMED else ""
            notes.append(f"{counted(len(ids), 'id')} {what} (its pairs count as missed): {names}{more}")
    return notes
