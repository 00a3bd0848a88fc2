"""What was compared: the two runs side by side, their contract, and what was looked at."""

from collections.abc import Iterator
from datetime import UTC, datetime

from parity.markup import Html, facts, name, table, text
from parity.report.material import Counts, Material
from parity.result import Result, Side
from parity.show import counted, number
from shared.fence import Fence

_NONE = Html('<span class="quiet">–</span>')


def compared(result: Result, material: Material) -> Html:
    """A section. A library that only one engine has is no difference; another version of it is."""
    a, b = result.a, result.b
    about_a, about_b = material.about
    sides = [
        ("engine", text(a.engine), text(b.engine)),
        ("folder", code(a.path), code(b.path)),
        ("written", written(about_a.written_at_ms), written(about_b.written_at_ms)),
    ]
    statuses = list(_by_name(about_a.statuses, about_b.statuses))
    dead = list(_by_name(about_a.dead_letters, about_b.dead_letters))
    more = (
        _table("Items by status", "status", statuses),
        _table("Dead letters by reason", "reason", dead),
        _table("Versions of libraries", "library", list(_versions(a, b))),
    )
    about = facts(dict(_facts(result, material)))
    return Html(
        f'<section id="compared"><h2>What was compared</h2>\n{about}\n'
        f"{table(['', 'A', 'B'], sides, 'sides')}\n{''.join(more)}</section>"
    )


def _table(title: str, column: str, rows: list[tuple[object, ...]]) -> str:
    """Closed until somebody asks, but its summary says whether the sides differ in it."""
    differ = sum(1 for row in rows if row[-1])
    if not rows:
        return ""
    says = f'<b class="differs">{differ} of {len(rows)} not the same</b>' if differ else "the same"
    body = table([column, "A", "B", ""], rows, "sides")
    return f"<details><summary>{title}: {says}</summary>\n{body}</details>\n"


def _facts(result: Result, material: Material) -> Iterator[tuple[str, Html]]:
    spec = f" (spec {text(material.spec, 60)})" if material.spec else ""
    yield "Contract", Html(f"<code>{text(result.contract_id)}</code> in both{spec}")
    fence = result.aligned_by.get("fence")
    if fence:
        yield "Fence", Html(f"{text(Fence.from_json(fence).describe())} in both: they saw the same records")
    elif "fences" in result.aligned_by:
        yield "Fence of A", text(result.a.stands_at)
        yield "Fence of B", text(result.b.stands_at)
    else:
        yield "Event set", Html(f"<code>{text(result.aligned_by['event_set'])}</code> in both")
    if result.verified:
        yield "Checked", Html("every byte and every row of both runs was read")
    else:
        yield (
            "Checked",
            Html("every file, its size and rows; digests of all rows, and the rows where these differ"),
        )
    yield "Lake", _lake(result)


def _lake(result: Result) -> Html:
    if not result.coverage:
        return Html(f"not looked at: {text(result.why_no_lake or 'neither run names one')}")
    first = result.coverage[0]
    whole = "both runs hold what it says" if not result.uncovered else "<b>not all is as it says</b>"
    counts = f"{counted(first.records, 'record')}, {counted(first.ids, 'id')}"
    return Html(f"<code>{name(first.lake)}</code>: {counts}; {whole}")


def _by_name(a: Counts, b: Counts) -> Iterator[tuple[object, ...]]:
    left, right = dict(a), dict(b)
    for key in sorted(left | right, key=lambda key: (-max(left.get(key, 0), right.get(key, 0)), key)):
        counts = [left.get(key, 0), right.get(key, 0)]
        yield text(key, 60), *(text(number(c)) for c in counts), _mark(counts[0] != counts[1])


def _versions(a: Side, b: Side) -> Iterator[tuple[object, ...]]:
    left, right = dict(a.versions), dict(b.versions)
    for library in sorted(left | right):
        values = left.get(library), right.get(library)
        shown = [_NONE if value is None else text(value, 60) for value in values]
        yield text(library, 60), *shown, _mark(None not in values and values[0] != values[1])


def _mark(differs: bool) -> Html:
    return Html('<b class="differs">differs</b>') if differs else Html("")


def code(path: str) -> Html:
    """A path or an id."""
    return Html(f"<code>{name(path)}</code>")


def written(at_ms: int) -> Html:
    """at_ms: since 1970."""
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return _NONE
    return Html(f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%d %b %Y, %H:%M} UTC</time>')
