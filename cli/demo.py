"""`crossfade demo`: the whole story on sample photographs, with real parts."""

import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from parity.evaluate import Evaluation
    from shared.run import Run

console = Console(width=100, highlight=False)


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out/demo"),
    show_default=True,
    help="Folder for everything the demo makes; it is emptied first.",
)
@click.option("--no-kafka", is_flag=True, help="Use a file log even where Kafka can be had.")
@click.option("--open", "open_page", is_flag=True, help="Open the page of clusters in a browser.")
def command(output: Path, no_kafka: bool, open_page: bool) -> int:
    """Photographs and their variants, through batch and stream, to one verdict.

    Starts a broker, publishes, archives, backfills with Spark, consumes the same log (late, doubled,
    edited and deleted events among it), exports, diffs, evaluates and writes pages of the diff and of the
    clusters.
    """
    from cli.demo_events import write_demo_events
    from cli.demo_images import WHOLE, make_demo_images
    from parity.diff import diff
    from parity.evaluate import evaluate
    from parity.page import write_cluster_page
    from shared.run import open_run
    from stream.scratch import make_anew

    started = time.monotonic()
    root = output.resolve()
    make_anew(root, ".crossfade-demo", "a demo")
    images, truth = root / "images", root / "truth.csv"
    console.rule("1. photographs", align="left")
    made = make_demo_images(images, truth)
    console.print(
        f"{made.originals} distinct photographs, {made.images} pictures, {made.pairs} true pairs in {images}"
    )
    sorts = write_demo_events(images, root / "broken", root / "events.jsonl")
    console.print("events: " + ", ".join(f"{count} {sort}" for sort, count in sorts.items()))

    with _log(root, no_kafka) as (topic, clusters, servers):
        console.rule("2. into the log, and from there into the lake", align="left")
        _crossfade("publish", root / "events.jsonl", "--topic", topic, *servers)
        _crossfade("archive", "--topic", topic, "--lake", root / "lake", *servers)
        console.rule("3. batch: Spark over the lake", align="left")
        batch_run, stream_run = root / "batch", root / "stream"
        _crossfade("backfill", "--spec", "photos-small", "--input", root / "lake", "--output", batch_run)
        console.rule("4. stream: the consumer over the log, its state in RocksDB", align="left")
        state = ("--state", root / "state")
        _crossfade(
            "consume", "--spec", "photos-small", "--topic", topic, *state, "--output", clusters,
            "--until-fence", root / "lake", *servers,
        )  # fmt: skip
        _crossfade(
            "export", *state, "--output", stream_run, "--fence", root / "lake", "--lake", root / "lake"
        )
    console.rule("5. do they agree?", align="left")
    status = _crossfade("diff", batch_run, stream_run, "--html", root / "diff.html")
    _crossfade("evaluate", stream_run, "--truth", truth)
    run, page = open_run(stream_run), root / "clusters.html"
    verdict, evaluation = diff(open_run(batch_run), run), evaluate(run, truth)
    pictures = {str(path.relative_to(images)): path for path in images.rglob("*.jpg")}
    first = [f"{Path(name).stem}/original.jpg" for name in WHOLE]
    write_cluster_page(run, page, pictures, verdict, evaluation, first)

    console.rule("what happened", align="left")
    log = "Apache Kafka (KRaft), local" if servers else "file log (no broker)"
    _show(
        run, sorts, evaluation, {"log": log, "page": str(page), "took": f"{time.monotonic() - started:.0f} s"}
    )
    agree = "[bold green]parity: batch and stream are equal in every row[/]"
    _show_variants(run)
    console.print(agree if status == 0 else "[bold red]batch and stream differ; see above[/]")
    if open_page:
        webbrowser.open(page.as_uri())
    return status


def _show(run: "Run", sorts: dict[str, int], evaluation: "Evaluation", more: dict[str, str]) -> None:
    """The table of what happened."""
    from cli.demo_found import edges_by_channel

    counts, score = run.manifest["counts"], evaluation.clusters
    heads = set(run.read("clusters", columns=["head"]).column("head").to_pylist())
    table = Table(box=None, show_header=False)
    rows = {
        "records": f"{sum(sorts.values()):,}: {_counts(sorts)}",
        "statuses": _counts(counts["statuses"]),
        "dead letters": _counts(counts["dead_letters"]),
        "found": f"{len(heads):,} clusters; edges: {_by_channel(edges_by_channel(run))}",
        "precision, recall": f"{score.precision:.4f}, {score.recall:.4f} of the pairs in one cluster",
    }
    for name, value in (rows | more).items():
        table.add_row(name, value)
    console.print(table)


def _show_variants(run: "Run") -> None:
    """What each kind of change did: found by the first channel, by another one alone, or lost."""
    from cli.demo_found import channels, found_by_variant

    table = Table(box=None, title="variants and their originals", title_justify="left", title_style="bold")
    table.add_column("")
    first, *later = channels(run)
    for name in ("pictures", "in one cluster", "", f"matched by {first}", *(f"only by {c}" for c in later)):
        table.add_column(name, justify="right")
    for variant, found in found_by_variant(run).items():
        share = f"{found.together / found.pictures:.0%}" if found.pictures else ""
        counts = (found.pictures, found.together, share, *found.edges.values())
        table.add_row(variant, *map(str, counts))
    console.print(table)


def _by_channel(edges: dict[str, int]) -> str:
    """Such as "3,000 by pdq, 2,000 only by words"."""
    return ", ".join(
        f"{count:,} {'only ' if place else ''}by {name}" for place, (name, count) in enumerate(edges.items())
    )


@contextmanager
def _log(root: Path, no_kafka: bool) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(items topic, clusters topic, Kafka options): a broker of its own, or files where none can be had."""
    from shared.errors import CrossfadeError
    from stream import broker

    files = (f"file:{root / 'log' / 'items'}", f"file:{root / 'log' / 'clusters'}", ())
    if no_kafka:
        yield files
        return
    try:
        with console.status("starting Apache Kafka (its jars come once, by Maven)"):
            running = broker.start(root / "broker")
    except CrossfadeError as error:
        console.print(f"[yellow]no broker: {error}[/]\ngoing on with a file log")
        yield files
        return
    try:
        yield "items", "clusters", ("--bootstrap-servers", running.bootstrap_servers)
    finally:
        broker.stop(root / "broker")


def _crossfade(name: str, *arguments: object) -> int:
    """Show a command as one would type it, and run it in this process. Its exit status."""
    import importlib

    words = [str(argument) for argument in arguments]
    console.print(f"\n[bold]$ crossfade {name} {' '.join(words)}[/]", soft_wrap=True)
    run: click.Command = importlib.import_module(f"cli.{name}").command
    return run.main(words, prog_name=f"crossfade {name}", standalone_mode=False) or 0


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
