"""What is expected to differ and what became of it, and what a lake says of both runs."""

from parity.coverage import Coverage
from parity.markup import Html, table, text
from parity.report.differences import fields
from parity.result import KnownUse, Result
from parity.show import counted, number
from parity.uncovered import Uncovered

LISTED = 20  # of a run's ids that are not as the lake has them


def known(result: Result) -> Html:
    """A section; empty where no differences are registered."""
    if not result.known:
        return Html("")
    columns = ["rule", "owner", "reason", "found", "cap", "expires", ""]
    rows = [(u.name, u.owner, u.reason, u.found, u.cap, u.expires, _state(u)) for u in result.known]
    return Html(f'<section id="known"><h2>Known differences</h2>\n{table(columns, rows, "prose")}</section>')


def _state(use: KnownUse) -> Html:
    return Html(f'<span class="state {"ok" if use.passed else "failed"}">{text(use.state)}</span>')


def against_lake(result: Result) -> Html:
    """A section; empty where no lake was looked at."""
    if not result.coverage:
        return Html("")
    columns = ["run", "ids in the lake", "missing in the run", "extra", "another version", "dead letters"]
    rows = [
        (f"{side}: {c.run}", c.ids, c.missing, c.extra, c.wrong, len(c.dead_letters))
        for side, c in zip("AB", result.coverage, strict=True)
    ]
    first = result.coverage[0]
    read = f"{counted(first.records, 'record')} of it were read"
    gaps = (
        f"; {counted(first.gaps, 'offset')} before the fence {_are(first.gaps)} in no file"
        if first.gaps
        else ""
    )
    listed = "".join(_run(side, c) for side, c in zip("AB", result.coverage, strict=True) if not c.whole)
    return Html(
        f'<section id="lake"><h2>Against the lake</h2>\n<p class="lead">Two runs that miss the same event '
        f"are equal, and both wrong; so each is held against the records themselves. {read}{gaps}.</p>\n"
        f"{table(columns, rows)}{listed}</section>"
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _run(side: str, coverage: Coverage) -> str:
    shown = coverage.uncovered[:LISTED]
    items = "\n".join(_uncovered(item) for item in shown)
    total = coverage.missing + coverage.extra + coverage.wrong
    first = f", the first {number(len(shown))} of {number(total)}" if len(shown) < total else ""
    listed = f'<ol class="list">\n{items}\n</ol>' if items else ""
    dead = [(reason.name, int(reason.a or 0), int(reason.b or 0)) for reason in coverage.dead_letters]
    reasons = table(["dead letters, by reason", "lake", "run"], dead) if dead else ""
    return f"<h3>{side} is not what the lake says{first}</h3>\n{listed}{reasons}"


def _uncovered(item: Uncovered) -> str:
    place = "partition {}, offset {}".format(*item.at)
    return (
        f'<li><p class="what"><span class="kind {item.kind}">{item.kind}</span>'
        f'<b class="id">{text(item.id, 90)}</b><small>{place}</small></p>\n'
        f"{fields(item.fields, ('lake', 'run'))}</li>"
    )
