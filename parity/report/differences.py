"""The differences one by one, with the fields in which the sides differ, and the command that says why."""

from collections.abc import Iterable, Sequence

from parity.fields import FieldDifference, Value
from parity.markup import Html, name, table, text
from parity.result import Difference, Result
from parity.show import counted, explain_command, number

LISTED = 200
OPEN = 10  # of them seen at once; the others open on request


def differences(result: Result) -> Html:
    """A section; empty where there is no difference."""
    shown = result.differences[:LISTED]
    parts: list[str] = [_dead_letters(result.dead_letters)] if result.dead_letters else []
    if shown:
        total = result.total - len(result.dead_letters)
        if len(shown) < total:
            parts.append(f"<p>The first {number(len(shown))} of {number(total)}. {_MORE}</p>")
        parts.append(f"{_why(result, shown[0])}\n{_folded(shown)}")
    if not parts:
        return Html("")
    body = "\n".join(parts)
    return Html(f'<section id="differences"><h2>The differences</h2>\n{body}</section>')


_MORE = "<code>crossfade diff --json</code> writes the first 1,000 with all their fields."


def _folded(shown: Sequence[Difference]) -> Html:
    first, others = shown[:OPEN], shown[OPEN:]
    if not others:
        return _list(first)
    return Html(
        f"{_list(first)}\n<details><summary>{number(len(others))} more</summary>{_list(others)}</details>"
    )


def _list(shown: Iterable[Difference]) -> Html:
    return Html(
        '<ol class="list">\n' + "\n".join(_difference(difference) for difference in shown) + "\n</ol>"
    )


def _difference(difference: Difference) -> str:
    with_ = f" with {_id(difference.earlier)}" if difference.earlier is not None else ""
    explains = f"explains {counted(difference.explains, 'later row')}" if difference.explains else ""
    rule = f"known as “{text(difference.rule, 80)}”" if difference.rule else ""
    more = "; ".join(part for part in (explains, rule) if part)
    return (
        f'<li><p class="what"><span class="stage">{difference.cause}</span>'
        f'<span class="kind {difference.kind}">{difference.kind}</span>'
        f"<span>{_id(difference.id)}{with_}</span><small>{more}</small></p>\n"
        f"{fields(difference.fields, ('A', 'B'))}</li>"
    )


def fields(found: Sequence[FieldDifference], sides: tuple[str, str]) -> Html:
    """Values side by side; in one line where only one side has such a row."""
    if not found:
        return Html("")
    if all(field.b is None for field in found):
        return _row_of(sides[0], [(field, field.a) for field in found])
    if all(field.a is None for field in found):
        return _row_of(sides[1], [(field, field.b) for field in found])
    rows = "".join(
        f'<tr><th scope="row">{text(f.name, 60)}</th><td>{_value(f.a)}</td><td>{_value(f.b)}</td>'
        f"<td>{text(f.note, 120)}</td></tr>"
        for f in found
    )
    head = "".join(f'<th scope="col">{side}</th>' for side in ("", *sides, ""))
    return Html(f'<table class="fields"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def _row_of(side: str, values: Iterable[tuple[FieldDifference, Value]]) -> Html:
    said = "".join(
        f"<span><i>{text(field.name, 60)}</i> {_value(value)} {text(field.note, 120)}</span>"
        for field, value in values
    )
    return Html(f'<p class="row-of"><b>{side}</b>{said}</p>')


def _value(value: Value) -> Html:
    if value is None:
        return Html('<span class="quiet">–</span>')
    return text(value, 80) or Html('<span class="quiet">empty</span>')


def _id(value: str) -> Html:
    return Html(f'<b class="id" title="{text(value)}">{name(value, 90)}</b>')


def _dead_letters(reasons: Iterable[FieldDifference]) -> Html:
    rows = [(reason.name, int(reason.a or 0), int(reason.b or 0)) for reason in reasons]
    return Html(f"<h3>Dead letters by reason</h3>\n{table(['reason', 'A', 'B'], rows)}")


def _why(result: Result, first: Difference) -> str:
    command = explain_command(first.ids, (result.a.path, result.b.path))
    return f'<p class="why">Why: <code>{text(command)}</code> shows the first of them stage by stage.</p>'
