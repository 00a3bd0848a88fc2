"""The distributions of both runs, one over the other, each with its numbers."""

from parity.markup import Html, table, text
from parity.report.charts import svg
from parity.report.histogram import Histogram
from parity.report.material import Material
from parity.result import Result


def plots(result: Result, material: Material) -> Html:
    engines = [text(side.engine, 40) for side in (result.a, result.b)]
    figures = "\n".join(plot(histogram) for histogram in material.histograms)
    named = legend(f"A ({engines[0]})", f"B ({engines[1]})", "B less A")
    return Html(
        f'<section id="distributions"><h2>Both runs, one over the other</h2>\n{named}\n'
        f'<div class="plots">\n{figures}\n</div></section>'
    )


def legend(a: str, b: str, delta: str) -> Html:
    """What stands for what in a plot."""
    return Html(
        f'<p class="legend"><span><i class="swatch a"></i>{a}, filled</span>'
        f'<span><i class="swatch b"></i>{b}, outlined</span>'
        f'<span><i class="swatch delta">±</i>{delta}, where they differ</span></p>'
    )


def plot(histogram: Histogram, a: str = "A", b: str = "B") -> str:
    """A figure with its numbers. a, b: what the sides are called."""
    title = f"<h3>{text(histogram.title, 80)}</h3>"
    note = f"<p>{text(histogram.note, 300)}</p>" if histogram.note else ""
    if not histogram.a:
        return f'<figure class="plot">{title}{note}</figure>'
    columns = [histogram.x, f"{histogram.y}: {a}", b, f"{b} less {a}"]
    pairs = enumerate(zip(histogram.a, histogram.b, strict=True))
    rows = [(text(histogram.bin_name(place)), a, b, b - a) for place, (a, b) in pairs]
    numbers = f"<details><summary>Numbers</summary>{table(columns, rows)}</details>"
    return f'<figure class="plot">{title}{note}{svg(histogram, _label(histogram, a, b))}{numbers}</figure>'


def _label(histogram: Histogram, a: str, b: str) -> str:
    differ = sum(x != y for x, y in zip(histogram.a, histogram.b, strict=True))
    same = f"{differ} of {len(histogram.a)} bins differ" if differ else f"the same in {a} and {b}"
    return f"{histogram.title}: {histogram.y} by {histogram.x}; {same}"
