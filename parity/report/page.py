"""A diff as one HTML file, for whoever decides and for whoever must find the cause."""

from pathlib import Path

from parity.markup import Html, document, text
from parity.report.clusters import clusters
from parity.report.compared import compared
from parity.report.differences import differences
from parity.report.gather import gather
from parity.report.material import Material
from parity.report.plots import plots
from parity.report.registry import against_lake, known
from parity.report.stages import funnel
from parity.report.style import STYLE
from parity.report.verdict import gates, top
from parity.result import Result
from shared.run import Run

_NAMES = {
    "gates": "gates",
    "compared": "what was compared",
    "stages": "stages",
    "differences": "differences",
    "clusters": "clusters",
    "known": "known differences",
    "lake": "lake",
    "distributions": "distributions",
}


def diff_page(a: Run, b: Run, result: Result, lake: Path | None) -> str:
    """The page. lake: where the payloads of the runs are, for pictures and texts. Errors: see `gather`."""
    return render(result, gather(a, b, result, lake))


def render(result: Result, material: Material) -> str:
    """The page, from these two alone."""
    sections = {
        "gates": gates(result),
        "compared": compared(result, material),
        "stages": funnel(result),
        "differences": differences(result),
        "clusters": clusters(result, material),
        "known": known(result),
        "lake": against_lake(result),
        "distributions": plots(result, material),
    }
    parts = [top(result), _contents(sections), *sections.values(), _foot(result)]
    return document(f"crossfade diff: {result.verdict}", parts, STYLE)


def _contents(sections: dict[str, Html]) -> Html:
    links = " ".join(f'<a href="#{key}">{_NAMES[key]}</a>' for key, section in sections.items() if section)
    return Html(f'<nav aria-label="Sections">{links}</nav>')


def _foot(result: Result) -> Html:
    return Html(
        "<footer>Made by <code>crossfade diff</code>. This file loads nothing and runs nothing. "
        f"Contract <code>{text(result.contract_id)}</code>.</footer>"
    )
