"""A page of a run's clusters with their pictures: one HTML file that needs nothing beside itself."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from parity.clusters import Member, cluster_sizes, members_of
from parity.evaluate import Evaluation, Score
from parity.page_style import STYLE
from parity.result import Result
from parity.show import counted, number, printable
from parity.thumbnails import data_uri
from shared.durable import write_bytes
from shared.run import Run

MEMBERS = 24  # shown of one cluster

# Whatever an id or a picture holds, the page loads nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_cluster_page(
    run: Run,
    path: Path,
    images: Mapping[str, Path],
    verdict: Result | None = None,
    evaluation: Evaluation | None = None,
    limit: int = 60,
) -> None:
    """Write the `limit` largest clusters of more than one item to `path`, largest first.

    images: id -> picture file; an id without one, or with one that cannot be read, is shown without.
    """
    sizes, largest = cluster_sizes(run, limit)
    shown = [(head, size) for head, size in largest if size > 1]
    members = members_of(run, [head for head, _ in shown])
    several = sum(count for size, count in sizes.items() if size > 1)
    parts = [
        _top(run, sum(sizes.values()), several, max(sizes, default=0)),
        _verdict(verdict) if verdict else "",
        _evaluation(evaluation) if evaluation else "",
        *(_cluster(head, size, members[head], images) for head, size in shown),
        _foot(len(shown), several, sizes[1]),
    ]
    write_bytes(path, _document("crossfade: clusters", parts).encode())


def _document(title: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(value: object, width: int = 0) -> str:
    """Safe as text and in a quoted attribute; control and direction characters are escapes."""
    return escape(printable(value, width), quote=True)


def _top(run: Run, clusters: int, several: int, largest: int) -> str:
    place = run.fence.describe() if run.fence else f"event set {run.event_set}"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.manifest["versions"].items()))
    facts = {
        "Contract": f"<code>{_text(run.contract_id)}</code> (spec {_text(run.manifest['spec'].get('name'))})",
        "Stands at": _text(place),
        "Engine": _text(f"{run.manifest['engine']}{f' ({versions})' if versions else ''}"),
        "Run": f"<code>{_text(run.path)}</code>",
    }
    figures = {
        "items": run.rows("items"),
        "edges": run.rows("edges"),
        "clusters": clusters,
        "of more than one": several,
        "items in the largest": largest,
    }
    return (
        "<h1>Clusters</h1>\n"
        '<p class="lead">Items that are near-duplicates of one head, largest clusters first. '
        "Under each member stands its match with the head.</p>\n"
        f'<dl class="facts">{"".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts.items())}</dl>\n'
        f'<div class="figures">{"".join(_figure(k, v) for k, v in figures.items())}</div>'
    )


def _figure(name: str, value: int) -> str:
    return f"<div><b>{number(value)}</b><span>{name}</span></div>"


def _verdict(result: Result) -> str:
    rows = sum(stage.rows_a for stage in result.stages)
    line = (
        f"Parity: all {number(rows)} rows are equal" if result.parity else counted(result.total, "difference")
    )
    sides = f"{result.a.path} ({result.a.engine}) against {result.b.path} ({result.b.engine})"
    checked = (
        "every byte and row was read" if result.verified else "files, row counts and digests were compared"
    )
    kind = "parity" if result.parity else "differences"
    return f'<p class="verdict {kind}">{line}<small>{_text(sides)}; {checked}</small></p>'


def _evaluation(evaluation: Evaluation) -> str:
    rows = "".join(_score(*row) for row in (("edges", evaluation.edges), ("clusters", evaluation.clusters)))
    names = ("against labelled pairs, by", "found", "in truth", "correct", "precision", "recall", "F1")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _score(name: str, score: Score) -> str:
    counts = [number(value) for value in (score.found, score.truth, score.correct)]
    rates = ["–" if rate is None else f"{rate:.4f}" for rate in (score.precision, score.recall, score.f1)]
    return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in counts + rates)}</tr>"


def _cluster(head: str, size: int, members: list[Member], images: Mapping[str, Path]) -> str:
    more = f", {number(size - MEMBERS)} of them not shown" if size > MEMBERS else ""
    figures = "\n".join(_member(member, head, images.get(member.id)) for member in members[:MEMBERS])
    return (
        f"<section><header><h2>{_text(head, 120)}</h2><span>{counted(size, 'item')}{more}</span></header>\n"
        f'<div class="members">\n{figures}\n</div></section>'
    )


def _member(member: Member, head: str, image: Path | None) -> str:
    is_head = member.id == head
    uri = data_uri(image) if image else None
    missing = "no picture" if image is None else "a picture that cannot be read"
    picture = f'<img src="{uri}" alt="" loading="lazy">' if uri else f"<em>{missing}</em>"
    badge = '<span class="badge">head</span>' if is_head else ""
    caption = (
        f'<b title="{_text(member.id)}">{_text(member.id, 34)}</b><span>{_strength(member, is_head)}</span>'
    )
    return (
        f'<figure class="{"head" if is_head else "member"}"><div class="picture">{picture}{badge}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _strength(member: Member, is_head: bool) -> str:
    if is_head:
        return "the earliest"
    if not member.channel:
        return "no match with the head itself"
    ratio = f"{member.numerator}/{member.denominator}"
    return f'{_text(member.channel, 40)} <span class="number">{ratio}</span> = {float(member.ratio):.3f}'


def _foot(shown: int, several: int, alone: int) -> str:
    shown_of = f"{number(shown)} of {counted(several, 'cluster')} of more than one item shown"
    return f"<footer>{shown_of}; {counted(alone, 'item')} alone in a cluster left out.</footer>"
