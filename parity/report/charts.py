"""A histogram as SVG: A filled, B as an outline over it, and by how much they differ where they do."""

import math
from collections.abc import Callable, Iterator

from parity.markup import Html, text
from parity.report.histogram import Histogram, steps
from parity.show import number

_WIDTH, _HEIGHT = 480, 264
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 34, 48
_WIDE, _HIGH = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_LETTER = 7.4  # units of a letter's width
_LOG = 60  # counts that differ by more than this factor stand on a logarithmic axis

Scale = Callable[[int], float]


def svg(histogram: Histogram, label: str) -> Html:
    """label: its text for who cannot see it. The histogram has bins."""
    counts = [*histogram.a, *histogram.b]
    scale, ticks, logarithmic = _axis(counts)
    y = f"{histogram.y}{' (logarithmic)' if logarithmic else ''}"
    parts = [*_grid(scale, ticks), *_bars(histogram, scale), *_labels(histogram)]
    return Html(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(label)}">'
        f"<title>{text(label)}</title>\n{''.join(parts)}"
        f'<text class="axis" x="{_LEFT}" y="14">{text(y, 60)}</text>'
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">'
        f"{text(histogram.x, 60)}</text></svg>"
    )


def _axis(counts: list[int]) -> tuple[Scale, list[int], bool]:
    """(count -> y, the counts with a line, whether it is logarithmic)."""
    most = max(counts)
    least = min(value for value in counts if value)
    if most > _LOG * least:
        powers = math.ceil(math.log10(most))
        whole = powers + 0.3  # a count of one stands above the axis, none on it
        ticks = [10**power for power in range(powers + 1)]
        return lambda v: _y((math.log10(v) + 0.3) / whole if v else 0.0), ticks, True
    step = next(step for step in steps() if most <= 5 * step)
    top = -(-most // step) * step
    return lambda v: _y(v / top), list(range(0, top + 1, step)), False


def _y(share: float) -> float:
    return round(_TOP + _HIGH * (1 - share), 1)


def _grid(scale: Scale, ticks: list[int]) -> Iterator[str]:
    for tick in ticks:
        y = scale(tick)
        yield f'<path class="grid" d="M{_LEFT} {y:g}h{_WIDE}"/>'
        yield f'<text x="{_LEFT - 7}" y="{y + 4:g}" text-anchor="end">{_short(tick)}</text>\n'
    yield f'<path class="base" d="M{_LEFT} {_y(0):g}h{_WIDE}"/>\n'


def _short(value: int) -> str:
    """Such as 5,000, 20k or 1M: there is room for six letters."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= max(size, 10_000):
            return f"{value / size:g}{letter}"
    return number(value)


def _bars(histogram: Histogram, scale: Scale) -> Iterator[str]:
    step = _WIDE / len(histogram.a)
    gap = min(2.0, step / 8)
    outline = []
    signed = [_signed(b - a) for a, b in zip(histogram.a, histogram.b, strict=True)]
    upright = max(map(len, signed)) * _LETTER <= step
    deltas = []
    for place, (a, b) in enumerate(zip(histogram.a, histogram.b, strict=True)):
        left, right = round(_LEFT + place * step + gap, 1), round(_LEFT + (place + 1) * step - gap, 1)
        if a:
            size = f'width="{right - left:.1f}" height="{_y(0) - scale(a):.1f}"'
            yield f'<rect class="fill-a" x="{left:g}" y="{scale(a):g}" {size}/>'
        if b:
            outline.append(f"M{left:g} {_y(0):g}V{scale(b):g}H{right:g}V{_y(0):g}")
        if a != b:
            x, y = (left + right) / 2, min(scale(a), scale(b)) - 5
            at = (
                'text-anchor="middle"'
                if upright
                else f'transform="rotate(-90 {x + 4:.1f} {y:.1f}) translate(4)"'
            )
            deltas.append(f'<text class="delta" x="{x:.1f}" y="{y:.1f}" {at}>{signed[place]}</text>')
    yield f'\n<path class="line-b" d="{"".join(outline)}"/>\n'
    yield "".join(deltas)


def _signed(value: int) -> str:
    return f"+{number(value)}" if value > 0 else f"−{number(-value)}"


def _labels(histogram: Histogram) -> Iterator[str]:
    """Below the bins or their edges, as many as there is room for."""
    step = _WIDE / len(histogram.a)
    shift = 0.0 if histogram.at_edges else step / 2
    widest = max(len(label) for label in histogram.labels) * _LETTER + 8
    every = max(1, math.ceil(widest / step))
    for place in range(0, len(histogram.labels), every):
        label, x = histogram.labels[place], _LEFT + place * step + shift
        yield f'<text x="{x:.1f}" y="{_y(0) + 17:g}" text-anchor="middle">{text(label, 20)}</text>'
