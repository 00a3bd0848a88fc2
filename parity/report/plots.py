"""The distributions of both runs, one over the other, each with its numbers."""

from parity.markup import Html, table, text
from parity.report.charts import svg
from parity.report.histogram import Histogram
from parity.report.material import Material
from parity.result import Result


def plots(result: Result, material: Material) -> Html:
    engines = [text(side.engine, 40) for side in (result.a, result.b)]
    legend = (
        f'<p class="legend"><span><i class="swatch a"></i>A ({engines[0]}), filled</span>'
        f'<span><i class="swatch b"></i>B ({engines[1]}), outlined</span>'
        '<span><i class="swatch delta">±</i>B less A, where they differ</span></p>'
    )
    figures = "\n".join(_plot(histogram) for histogram in material.histograms)
    return Html(
        f'<section id="distributions"><h2>Both runs, one over the other</h2>\n{legend}\n'
        f'<div class="plots">\n{figures}\n</div></section>'
    )


def _plot(histogram: Histogram) -> str:
    title = f"<h3>{text(histogram.title, 80)}</h3>"
    note = f"<p>{text(histogram.note, 300)}</p>" if histogram.note else ""
    if not histogram.a:
        return f'<figure class="plot">{title}{note}</figure>'
    columns = [histogram.x, f"{histogram.y} in A", "in B", "B less A"]
    pairs = enumerate(zip(histogram.a, histogram.b, strict=True))
    rows = [(text(histogram.bin_name(place)), a, b, b - a) for place, (a, b) in pairs]
    numbers = f"<details><summary>Numbers</summary>{table(columns, rows)}</details>"
    return f'<figure class="plot">{title}{note}{svg(histogram, _label(histogram))}{numbers}</figure>'


def _label(histogram: Histogram) -> str:
    differ = sum(a != b for a, b in zip(histogram.a, histogram.b, strict=True))
    same = f"{differ} of {len(histogram.a)} bins differ" if differ else "the same in A and B"
    return f"{histogram.title}: {histogram.y} by {histogram.x}; {same}"
