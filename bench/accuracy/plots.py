"""The two plots of the page, as SVG: the same bytes for the same numbers."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from bench.accuracy.measure import Method, Preset, Result
from bench.accuracy.settings import Setting

_COLOURS = ("#1b6ca8", "#e08a1e", "#3a9a5b", "#8a8a8a", "#b04a5a", "#7a5bb0")
_MARKERS = ("o", "D", "s", "^", "v", "x")
_ROWS = ("-", "--", ":")  # line styles by number of rows
_STYLE = {
    "svg.hashsalt": "crossfade",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def attacks(result: Result, output: Path) -> None:
    """Recall of each attack: bars of the first method, marks of the others."""
    shown = [method for method in result.methods if not method.fitted and "alone" not in method.name]
    names = list(shown[0].scores.attacks)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.19 * len(names) + 1.2), layout="constrained")
        axes = figure.add_subplot()
        places = range(len(names))
        handles: list[Any] = [axes.barh(places, _recalls(shown[0], names), color="#9cc4e4")]
        for i, method in enumerate(shown[1:], 1):
            style: dict[str, Any] = {"marker": _MARKERS[i], "color": _COLOURS[i], "s": 16, "zorder": 3}
            handles.append(axes.scatter(_recalls(method, names), places, **style))
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("recall")
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        figure.legend(handles, [method.name for method in shown], loc="outside upper center", ncols=3)
        _save(figure, output)


def settings(presets: list[Preset], output: Path) -> None:
    """Recall against the share of pairs verified, on a logarithmic scale: a panel a preset."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 4.4 * len(presets)), layout="constrained")
        for axes, preset in zip(figure.subplots(len(presets), 1, squeeze=False)[:, 0], presets, strict=True):
            _panel(axes, preset)
        _save(figure, output)


def _panel(axes: Any, preset: Preset) -> None:
    plain = [entry for entry in preset.settings if not entry.cut]
    for i, rows in enumerate(sorted({entry.rows for entry in plain})):
        line = [entry for entry in plain if entry.rows == rows]
        style: dict[str, Any] = {"color": _COLOURS[i], "linestyle": _ROWS[i], "marker": "o", "markersize": 3}
        axes.plot(*_places(line), label=f"{rows} row{'s' * (rows > 1)}", **style)
        for entry in line if rows < 3 else []:  # their shares are all but one
            place = (100 * entry.share, entry.recall)
            axes.annotate(str(entry.bands), place, (3, -8), textcoords="offset points", fontsize=6)
    for i, (cut, name) in enumerate((("agreeing", "agreeing bands >= 2 … 8"), ("best", "best 1 … 30 alone"))):
        points = [entry for entry in preset.settings if entry.cut.startswith(cut)]
        if points:
            mark: dict[str, Any] = {"marker": ("^", "x")[i], "s": 14, "color": "#555555", "linewidths": 0.8}
            axes.scatter(*_places(points), label=name, **mark)
    axes.scatter(*_places([preset.shipped]), marker="*", s=120, color="#c02030", zorder=4, label="as shipped")
    axes.set_xscale("log")
    axes.set_xlabel("verified, % of the pairs of different photographs (numbers at the lines: bands)")
    axes.set_ylabel("recall")
    axes.set_title(f"{preset.name}: {plain[0].extractor}", loc="left", fontsize=10)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(loc="lower right", fontsize=8)


def _places(entries: list[Setting]) -> tuple[list[float], list[float]]:
    """A share of nothing stands at the left edge, a ten-thousandth of a per cent."""
    return [max(100 * entry.share, 1e-4) for entry in entries], [entry.recall for entry in entries]


def _recalls(method: Method, names: list[str]) -> list[float]:
    return [method.scores.attacks[name].recall for name in names]


def _save(figure: Figure, output: Path) -> None:
    figure.savefig(output, format="svg", metadata={"Date": None})
