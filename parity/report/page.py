"""A diff as one HTML file, for whoever decides and for whoever must find the cause."""

from collections.abc import Mapping
from pathlib import Path

from parity.markup import Html, document, text
from parity.report.clusters import clusters
from parity.report.compared import compared
from parity.report.differences import differences
from parity.report.gather import gather
from parity.report.material import Material
from parity.report.pictures import Pictures
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
    pictures = Pictures()
    engines = (result.a.engine, result.b.engine)
    sections = {
        "gates": gates(result),
        "compared": compared(result, material),
        "stages": funnel(result),
        "differences": differences(result),
        "clusters": clusters(result.clusters, engines, material.clusters, pictures),
        "known": known(result),
        "lake": against_lake(result),
        "distributions": plots(result, material),
    }
    end = foot("crossfade diff", Html(f"Contract <code>{text(result.contract_id)}</code>"))
    parts = [top(result), contents(sections, _NAMES), *sections.values(), pictures.store(), end]
    return document(f"crossfade diff: {result.verdict}", parts, STYLE)


def contents(sections: Mapping[str, Html], names: Mapping[str, str]) -> Html:
    """Links to the sections that are not empty."""
    links = " ".join(f'<a href="#{key}">{names[key]}</a>' for key, section in sections.items() if section)
    return Html(f'<nav aria-label="Sections">{links}</nav>')


def foot(command: str, contract: Html) -> Html:
    """contract: which it is of."""
    nothing = "This file loads nothing and runs nothing."
    return Html(f"<footer>Made by <code>{command}</code>. {nothing} {contract}.</footer>")
