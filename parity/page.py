"""A page of a run's clusters with their pictures: one HTML file that needs nothing beside itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from parity.clusters import cluster_sizes
from parity.evaluate import Evaluation, Score
from parity.markup import Html, document, facts, figures, text
from parity.matched import sides
from parity.page_clusters import sections
from parity.result import Result
from parity.show import counted, number
from shared.durable import write_bytes
from shared.run import Run


def write_cluster_page(
    run: Run,
    path: Path,
    images: Mapping[str, Path],
    verdict: Result | None = None,
    evaluation: Evaluation | None = None,
    first: Sequence[str] = (),
    limit: int = 60,
) -> None:
    """Write `limit` clusters of more than one item to `path`.

    They are those where the spec's later channels matched most of what the first did not, else the largest;
    of them the heads in `first` come first, as they stand there. images: id -> picture file; an id without
    one, or with one that cannot be read, is shown without.
    """
    sizes, chosen = cluster_sizes(run, limit, by_later_channels=True)
    place = {head: number for number, head in enumerate(first)}
    shown = [(head, size) for head, size in chosen if size > 1]
    shown.sort(key=lambda entry: place.get(entry[0], len(place)))
    several = sum(count for size, count in sizes.items() if size > 1)
    parts = [
        _top(run, sum(sizes.values()), several, max(sizes, default=0)),
        _verdict(verdict) if verdict else "",
        _evaluation(evaluation) if evaluation else "",
        *sections(run, shown, images),
        _foot(len(shown), several, sizes[1]),
    ]
    write_bytes(path, document("crossfade: clusters", parts).encode())


def _top(run: Run, clusters: int, several: int, largest: int) -> str:
    place = run.fence.describe() if run.fence else f"event set {run.event_set}"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.manifest["versions"].items()))
    spec = text(run.manifest["spec"].get("name"))
    about = {
        "Contract": Html(f"<code>{text(run.contract_id)}</code> (spec {spec})"),
        "Stands at": text(place),
        "Engine": text(f"{run.manifest['engine']}{f' ({versions})' if versions else ''}"),
        "Run": Html(f"<code>{text(run.path)}</code>"),
    }
    counts = {
        "items": run.rows("items"),
        "edges": run.rows("edges"),
        "clusters": clusters,
        "of several items": several,
        "items in the largest": largest,
    }
    return f'<h1>Clusters</h1>\n<p class="lead">{_lead(run)}</p>\n{facts(about)}\n{figures(counts)}'


def _lead(run: Run) -> str:
    words = " or ".join(text(name, 40) for name in sides(run))
    lines = f" Lines join the points that {words} found in both: the head, left, and the member."
    return "Items that are near-duplicates of one head. Under each member stands its match with the head." + (
        lines if words else ""
    )


def _verdict(result: Result) -> str:
    rows = sum(stage.rows_a for stage in result.stages)
    line = (
        f"Parity: all {number(rows)} rows are equal" if result.parity else counted(result.total, "difference")
    )
    runs = f"{result.a.path} ({result.a.engine}) against {result.b.path} ({result.b.engine})"
    checked = (
        "every byte and row was read" if result.verified else "files, row counts and digests were compared"
    )
    kind = "parity" if result.parity else "differences"
    return f'<p class="verdict {kind}">{line}<small>{text(runs)}; {checked}</small></p>'


def _evaluation(evaluation: Evaluation) -> str:
    rows = "".join(_score(*row) for row in (("edges", evaluation.edges), ("clusters", evaluation.clusters)))
    names = ("against labelled pairs, by", "found", "in truth", "correct", "precision", "recall", "F1")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _score(name: str, score: Score) -> str:
    counts = [number(value) for value in (score.found, score.truth, score.correct)]
    rates = ["–" if rate is None else f"{rate:.4f}" for rate in (score.precision, score.recall, score.f1)]
    return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in counts + rates)}</tr>"


def _foot(shown: int, several: int, alone: int) -> str:
    shown_of = f"{number(shown)} of {counted(several, 'cluster')} of more than one item shown"
    return f"<footer>{shown_of}; {counted(alone, 'item')} alone in a cluster left out.</footer>"
