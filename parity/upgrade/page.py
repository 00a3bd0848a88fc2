"""An upgrade as one HTML file: what a new spec gains and loses, with the pictures or texts of the pairs."""

from collections.abc import Iterator
from pathlib import Path

from parity.markup import Html, document
from parity.report.clusters import clusters
from parity.report.compared import code
from parity.report.gather import shown_clusters
from parity.report.material import ShownClusters
from parity.report.page import contents, foot
from parity.report.pictures import Pictures
from parity.report.style import STYLE
from parity.report.verdict import gates_section, header
from parity.upgrade import page_tables, words
from parity.upgrade.page_pairs import PairPayloads, pair_payloads, pairs_section
from parity.upgrade.result import YES, Upgrade
from shared.run import Run

_KINDS = {
    "nothing lost": ("parity", "Nothing lost"),
    "within gates": ("within-gates", "Within the gates"),
    "over the gates": ("differences", "Over the gates"),
}
_CLASSES = {
    "event": "ids whose events are not equal",
    "dropped": "items with features in A and none in B",
    "features": "ids with other features from one event",
    "lost": "edges of A that B misses by its own rule",
    "unjudged": "edges of A alone that nobody can judge",
    "parted": "of those lost: no longer in one cluster",
}
_NAMES = {
    "gates": "gates",
    "compared": "what was compared",
    "contract": "what the spec changes",
    "events": "events",
    "pairs": "pairs",
    "lost": "pairs lost",
    "gained": "pairs gained",
    "clusters": "clusters",
    "costs": "costs",
}


def upgrade_page(a: Run, b: Run, result: Upgrade, lake: Path | None, why_no_lake: str) -> str:
    """The page. lake: where the payloads are, for pictures and texts; without one, why. Errors: those of
    parity/report/gather.py."""
    shown = shown_clusters(a, b, result.clusters, lake, why_no_lake)
    return render(result, shown, pair_payloads(a, b, result, lake))


def render(result: Upgrade, shown: ShownClusters, payloads: PairPayloads) -> str:
    """The page, from these alone."""
    pictures = Pictures()
    engines = (result.a.engine, result.b.engine)
    why = "" if result.clusters else shown.no_payloads  # the clusters say it otherwise
    sections = {
        "gates": gates_section(result.gates, _CLASSES),
        "compared": page_tables.compared(result),
        "contract": page_tables.contract(result),
        "events": page_tables.events(result),
        "pairs": page_tables.pairs(result),
        "lost": pairs_section("lost", result.edges.lost, payloads.lost, why, pictures),
        "gained": pairs_section("gained", result.edges.gained, payloads.gained, why, pictures),
        "clusters": clusters(result.clusters, engines, shown, pictures),
        "costs": page_tables.costs(result),
    }
    ids = f"Contracts {code(result.contract_a)} and {code(result.contract_b)}"
    end = foot("crossfade diff --upgrade", Html(ids))
    parts = [_top(result), contents(sections, _NAMES), *sections.values(), pictures.store(), end]
    return document(f"crossfade diff --upgrade: {result.verdict}", parts, STYLE)


def _top(result: Upgrade) -> Html:
    kind, headline = _KINDS[result.verdict]
    said = words.verdict(result)
    edges = result.edges
    large: dict[str, int | str] = {
        "edges of A": edges.in_a,
        "edges of B": edges.in_b,
        "in both": edges.kept,
        "lost, though B's rule takes them": words.about(edges.lost, edges.lost.true(YES)),
        "gained, and B's rule takes them": words.about(edges.gained, edges.gained.true(YES)),
    }
    return header(
        "crossfade diff --upgrade · an old spec (A) against a new one (B)",
        kind,
        headline,
        f"{said[0].upper()}{said[1:]}.",
        _more(result),
        large,
    )


def _more(result: Upgrade) -> Iterator[str]:
    if not result.passed:
        yield f"Over the gates: {words.over(result)}."
    yield from words.contradictions(result)
