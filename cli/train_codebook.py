"""`crossfade train-codebook`: the visual words of a folder of pictures."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parity.show import console, counted, number, printable, table
from shared import codebook
from shared.codebook_check import MIN_INLIERS, Check, Score
from shared.codebook_training import Trained, Training, train_folder
from shared.durable import write_bytes
from shared.errors import CrossfadeError, SourceError

_NAMED = 5


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of the codebook."
)
@click.option("--side", default=Training.side, show_default=True, help="As the extractor's.")
@click.option("--count", default=Training.count, show_default=True, help="As the extractor's.")
@click.option(
    "--seed", type=click.IntRange(0), default=Training.seed, show_default=True, help="Of k-means' start."
)
@click.option(
    "--rounds", type=click.IntRange(1), default=Training.rounds, show_default=True, help="Of k-means."
)
@click.option(
    "--limit-features",
    type=click.IntRange(codebook.CENTROIDS),
    default=Training.features,
    show_default=True,
    help="Most features to train on, drawn evenly from the pictures.",
)
@click.option("--no-check", is_flag=True, help="Hold no pictures out: train on all, check nothing.")
@click.option(
    "--workers", type=click.IntRange(0), help="Processes that read; 0 or 1: the command itself  [one a core]."
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    source: Path,
    output: Path,
    side: int,
    count: int,
    seed: int,
    rounds: int,
    limit_features: int,
    no_check: bool,
    workers: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train a codebook on the pictures in the folder SOURCE, at any depth.

    A tenth of the pictures, at most 200, is held out: the codebook is checked on them, beside the one that
    ships with crossfade. The same files in SOURCE give the same codebook, with any number of workers.
    """
    _check_place(output, force)
    training = Training(side, count, seed, rounds, limit_features, check=not no_check)
    with _progress() as report:
        trained = train_folder(
            source, training, (os.cpu_count() or 1) if workers is None else workers, report
        )
    try:
        write_bytes(output, codebook.to_bytes(trained.codebook))
    except OSError as error:
        raise CrossfadeError(f"cannot write {output}: {error.strerror}; name another --output") from error
    if as_json:
        click.echo(orjson.dumps(document(trained, output), option=orjson.OPT_INDENT_2))
    else:
        _show(trained, output)
    if trained.check and trained.check.worse:
        click.echo(
            f"warning: on these pictures {codebook.DEFAULT} is the better codebook (see the check); use it, "
            "or train on more pictures, or on pictures that are more alike those to be found",
            err=True,
        )


def document(trained: Trained, output: Path) -> dict[str, Any]:
    """Plain JSON values."""
    check = trained.check
    return {
        "output": printable(output),
        "digest": trained.codebook.digest,
        "found": trained.found,
        "pictures": trained.pictures,
        "features": trained.features,
        "per_picture": trained.per_picture,
        "stop_words": len(trained.codebook.stop_words),
        "left_out": {printable(name): reason for name, reason in trained.left_out},
        "skipped": trained.skipped,
        "check": asdict(check) | {"worse": check.worse} if check else None,
    }


def _check_place(output: Path, force: bool) -> None:
    """Before the work, not after it."""
    if output.exists() and not force:
        raise SourceError(f"{output} exists already; name another file, or overwrite it with --force")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise SourceError(f"no file can be written in {output.parent}; make that folder, or name another")


def _show(trained: Trained, output: Path) -> None:
    out = console()
    out.print(f"{printable(output)}: codebook {trained.codebook.digest}")
    out.print(
        f"trained on {counted(trained.features, 'feature')}, at most {number(trained.per_picture)} of a "
        f"picture, from {number(trained.pictures)} of {counted(trained.found, 'picture')}"
    )
    out.print(f"{counted(len(trained.codebook.stop_words), 'word')} on the stop list")
    by_reason = defaultdict(list)
    for name, reason in trained.left_out:
        by_reason[reason].append(name)
    for reason, names in sorted(by_reason.items()):
        shown = ", ".join(printable(name, 30) for name in names[:_NAMED])
        more = ", …" if len(names) > _NAMED else ""
        out.print(f"{counted(len(names), 'picture')} left out, {reason}: {shown}{more}")
    if trained.skipped:
        out.print(f"{counted(trained.skipped, 'file')} left out: no pictures by their suffix")
    if trained.check:
        out.print()
        out.print(_checked(trained.check, output))


def _checked(check: Check, output: Path) -> Any:
    columns = [_column(check.new), _column(check.shipped)]
    names = [
        "quantisation error, pictures trained on",
        "quantisation error, pictures held out",
        f"{counted(check.new.variants.pairs, 'pair')} of a picture and a variant: inliers, median",
        f"  with {MIN_INLIERS} inliers or more",
        "  words in common, median",
        f"{counted(check.new.others.pairs, 'pair')} of two pictures: inliers, median",
        f"  with {MIN_INLIERS} inliers or more",
        "  words in common, median",
    ]
    title = (
        f"Check on {counted(check.pictures, 'picture')} held out: half size, JPEG 50, turned by 10 degrees"
    )
    rows = list(zip(names, *columns, strict=True))
    return table(title, ["", printable(output.name, 30), codebook.DEFAULT], rows)


def _column(score: Score) -> list[str]:
    cells = [f"{score.trained_error:.3f}", f"{score.held_out_error:.3f}"]
    for pairs in (score.variants, score.others):
        cells.append("-" if pairs.inliers is None else f"{pairs.inliers:g}")
        cells += ["-" if share is None else f"{share:.2%}" for share in (pairs.matched, pairs.words)]
    return cells


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a step on stderr where that is a terminal; gives the function that moves it."""
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    on = Console(stderr=True)
    with Progress(*shown, console=on, disable=not on.is_terminal, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step)
            bar.update(tasks[step], completed=done, total=total)

        yield report
