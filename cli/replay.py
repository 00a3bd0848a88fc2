"""`crossfade replay`: run both engines on a bundle, beside what each side once said."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from cli.status import status

STAGES = ("event", "features", "signature", "bucket", "candidate", "match", "cluster")
ENGINES = ("batch now", "stream now")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--keep", type=click.Path(path_type=Path), help="Keep both runs in this new folder.")
@click.option("--master", help="Spark master URL  [spark-submit's, or all cores of this machine].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, keep: Path | None, master: str | None, as_json: bool) -> int:
    """Run batch and stream on the events of a bundle that `crossfade explain --bundle` wrote.

    Shows, stage by stage, whether each engine now says what each side had said. Exit status 0: all agree.
    1: they do not. 2: the bundle cannot be replayed here.
    """
    from parity.bundle import read_bundle, recorded_of
    from parity.diff import diff
    from parity.explain.runs import RunSide
    from shared.durable import require_new
    from shared.run import open_run

    bundle = read_bundle(folder)
    if keep:
        require_new(keep, "name a new folder with --keep")
    with TemporaryDirectory(prefix="crossfade-replay-") as temporary:
        work = keep or Path(temporary)
        runs = _run_both(bundle.spec, folder / "lake", work, master)
        verdict = diff(*runs)
        now = {
            name: recorded_of(RunSide(open_run(run.path)), bundle.ids)
            for name, run in zip(ENGINES, runs, strict=True)
        }
    recorded = {f"recorded at {path}": said for path, said in bundle.recorded.items()}
    said = now | recorded
    parted = [
        (item, stage)
        for item in bundle.ids
        for stage in STAGES
        if len({json.dumps(side[item][stage]) for side in said.values()}) > 1
    ]
    sentence = _sentence(said, list(recorded), parted)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "format": "crossfade-replay",
                    "version": 1,
                    "parity": verdict.parity,
                    "parted": parted,
                    "says": sentence,
                    "said": said,
                }
            )
        )
    else:
        _show(bundle, said, verdict.parity, sentence)
    return 0 if verdict.parity and not parted else 1


def _run_both(spec: Any, lake: Path, work: Path, master: str | None) -> tuple[Any, Any]:
    from batch import session
    from batch.backfill import backfill
    from batch.inputs import open_input
    from shared.source_events import ColumnOptions
    from stream.rehearsal import rehearse

    with status("batch"):
        source = open_input([lake], ColumnOptions())
        batch = backfill(lambda: session.start(master), spec, source, work / "batch")
    with status("stream"):
        return batch, rehearse(spec, lake, work / "state", work / "stream", 1)


def _sentence(said: dict[str, Any], recorded: list[str], parted: list[tuple[str, str]]) -> str:
    """What follows for whoever looks for the cause."""
    if not parted:
        return (
            "Both engines say now what was recorded: the difference, if there was one, is not in this bundle."
        )
    item, stage = parted[0]
    values = {name: json.dumps(side[item][stage]) for name, side in said.items()}
    batch, stream = (values[name] for name in ENGINES)
    where = f"{item!r} at {stage}"
    if batch != stream:
        return f"The engines part at {where}: it is in the code, and this bundle reproduces it."
    other = [name for name in recorded if values[name] != batch]
    if len(other) == len(recorded):
        return (
            f"Both engines say the same of {where}, and neither side had recorded that: both were made "
            f"otherwise, or by another version."
        )
    return (
        f"Both engines say the same of {where}; what was {other[0]} is not that: look at how that run or "
        f"state was made or kept (a lost write, a damaged file, an older version), not at this code."
    )


def _show(bundle: Any, said: dict[str, Any], parity: bool, sentence: str) -> None:
    from parity.show import console, counted, printable, table

    out = console()
    whole = "" if bundle.whole else ", and more that had no room"
    found = f"{counted(bundle.records, 'record')} of {counted(bundle.involved, 'id')}{whole}"
    verdict = "in parity" if parity else "NOT in parity"
    out.print(f"{bundle.folder}: {found}; batch and stream are {verdict} on them")
    for item in bundle.ids:
        rows = []
        for stage in STAGES:
            first = json.dumps(said[ENGINES[0]][item][stage])
            same = ["same" if json.dumps(s[item][stage]) == first else "OTHER" for s in said.values()]
            rows.append((stage, *same))
        out.print()
        names = [printable(name, 26) for name in said]
        out.print(table(f"{printable(item, 60)}: against what the batch says now", ["stage", *names], rows))
    out.print()
    out.print(sentence)
