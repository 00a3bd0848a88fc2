"""What all HTML pages have in common: a document that loads nothing and runs nothing, and safe text."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from parity.page_style import STYLE
from parity.show import number, printable

# Whatever an id or a picture holds, the page loads nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Markup that may stand in a page as it is: whatever came from outside is escaped in it."""

    __slots__ = ()


def text(value: object, width: int = 0) -> Html:
    """Safe as text and in a quoted attribute; control and direction characters are escapes."""
    return Html(escape(printable(value, width), quote=True))


def name(value: object, width: int = 0) -> Html:
    """An id or a path, cut in the middle to `width`: it may go on in the next line after a slash."""
    return Html(text(value, width).replace("/", "/<wbr>"))


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """A page of these parts, the empty ones left out. style: rules beside those of all pages."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def facts(rows: Mapping[str, Html]) -> Html:
    """Names and values, a line each."""
    return Html(
        f'<dl class="facts">{"".join(f"<dt>{text(k)}</dt><dd>{v}</dd>" for k, v in rows.items())}</dl>'
    )


def figures(values: Mapping[str, int | str]) -> Html:
    """Large numbers with their names below."""
    shown = "".join(f"<div><b>{_cell(v)}</b><span>{text(k)}</span></div>" for k, v in values.items())
    return Html(f'<div class="figures">{shown}</div>')


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], kind: str = "") -> Html:
    """Cells are numbers, text, or Html. Columns that hold a number in the first row stand to the right."""
    body = [list(row) for row in rows]
    first = body[0] if body else columns
    sides = ["" if type(cell) is int else ' class="text"' for cell in first]
    named_sides = zip(columns, sides, strict=True)
    head = "".join(f'<th scope="col"{side}>{text(column)}</th>' for column, side in named_sides)
    lines = "".join(f"<tr>{_cells(row, sides)}</tr>\n" for row in body)
    named = f' class="{kind}"' if kind else ""
    whole = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>"
    return Html(f'<div class="wide"><table{named}>{whole}</table></div>')


def _cells(row: Sequence[object], sides: Sequence[str]) -> str:
    return "".join(f"<td{side}>{_cell(cell)}</td>" for cell, side in zip(row, sides, strict=True))


def _cell(value: object) -> Html:
    return value if isinstance(value, Html) else text(number(value) if type(value) is int else value)
