"""`crossfade explain`: one or two ids, stage by stage, on one side or two."""

import contextlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from parity.bundle import write_bundle
from parity.explain.document import to_json
from parity.explain.explain import explain
from parity.explain.render import show
from parity.explain.runs import RunSide
from parity.explain.side import Side
from parity.files import check_run
from parity.show import console
from shared.errors import SourceError
from shared.run import MANIFEST, open_run


@click.command()
@click.argument("ids", metavar="ID [ID]", nargs=-1, required=True)
@click.option(
    "--at",
    "places",
    metavar="RUN|STATE",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A run's folder or a consumer's state, which may be in use. Twice: where they part.",
)
@click.option(
    "--lake",
    type=click.Path(path_type=Path),
    help="Where the payloads are  [the lake that a run names, if it is there].",
)
@click.option("--verify", is_flag=True, help="Read every byte of a run, and all postings of a state.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Write a minimal reproduction into this new folder, for `crossfade replay`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    ids: Sequence[str],
    places: Sequence[Path],
    lake: Path | None,
    verify: bool,
    bundle: Path | None,
    as_json: bool,
) -> int:
    """Explain an item or a pair: event, features, signature, buckets, candidates, match, cluster.

    Each stage is shown as it is stored and as the stage before gives it; with --at twice, both sides, and the
    first stage at which they part. Exit status 0: nothing parts, and each side's rows follow from each other.
    1: they part, or do not follow. 2: it cannot be explained.
    """
    _check(ids, places)
    with ExitStack() as open_states:
        sides = [_open(place, verify, open_states) for place in places]
        explanation = explain(sides, ids, lake)
        if bundle:
            source = lake or next((side.about.lake for side in sides if side.about.lake), None)
            if source is None:
                raise SourceError("a bundle takes its events from a lake, and no run names one; give --lake")
            written = write_bundle(bundle, ids, sides, source)
            click.echo(f"{bundle}: {written.records} records of {written.involved} ids", err=True)
    if as_json:
        click.echo(to_json(explanation), nl=False)
    else:
        show(explanation, console())
    return 0 if explanation.sound else 1


def _check(ids: Sequence[str], places: Sequence[Path]) -> None:
    if len(ids) > 2 or len(places) > 2:
        raise click.UsageError("give one or two ids, and --at once or twice")
    if len(set(ids)) < len(ids):
        raise click.UsageError("the two ids are one; give it once")
    for item in ids:
        with contextlib.suppress(UnicodeEncodeError):
            item.encode()
            continue
        raise click.UsageError("an id is not UTF-8, which every id is")


def _open(place: Path, verify: bool, open_states: ExitStack) -> Side:
    if (place / MANIFEST).exists():
        run = open_run(place)
        check_run(run, verify)
        return RunSide(run)
    if not (place / "CURRENT").exists():  # RocksDB's own pointer to its files
        raise SourceError(
            f"{place} is no run (it has no {MANIFEST}) and no consumer's state; name one of them"
        )
    from stream.side import StateSide  # opens RocksDB; runs need none
    from stream.stores import read_store

    store = read_store(place)
    open_states.callback(store.close)
    return StateSide(store, place, all_postings=verify)
