"""How many differences of each class a migration tolerates: by the spec's [gates], or by option."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from parity.result import CLASSES, CauseCount, Gate
from shared.errors import CrossfadeError
from shared.spec import GATES, LIMIT

# Of these any number may be there: `known` has caps of its own, `late` is what --allow-late allows.
_UNLIMITED = ("late", "known")


def parse_gates(texts: Iterable[str], kinds: Sequence[str] = GATES) -> dict[str, str]:
    """{class: limit} of options such as wrong=10 or missing=0.01%. Raises CrossfadeError where one is none,
    before anything is compared.
    """
    found: dict[str, str] = {}
    for text in texts:
        kind, equals, limit = text.partition("=")
        if not equals:
            raise CrossfadeError(f"gate {text!r} is not CLASS=LIMIT, such as wrong=10 or missing=0.01%")
        found[kind.strip()] = limit.strip()
    require_kinds(found, kinds)
    for kind, limit in found.items():
        limit_of(kind, limit, 1)
    return found


def require_kinds(limits: Iterable[str], kinds: Sequence[str]) -> None:
    """CrossfadeError where one is none of these classes."""
    if unknown := sorted(set(limits) - set(kinds)):
        raise CrossfadeError(f"gate {unknown[0]!r} is none of the classes {', '.join(kinds)}")


def judge(
    limits: Mapping[str, int | str], causes: Iterable[CauseCount], uncovered: int, items: int
) -> tuple[Gate, ...]:
    """One gate a class. limits: a number of differences, or a share of `items` such as "0.01%".

    Raises CrossfadeError where a class or a limit is none.
    """
    require_kinds(limits, GATES)
    counts = list(causes)
    found = {kind: sum(getattr(count, kind) for count in counts) for kind in CLASSES} | {
        "uncovered": uncovered
    }
    return tuple(Gate(kind, _limit(kind, limits, items), found[kind]) for kind in GATES)


def _limit(kind: str, limits: Mapping[str, int | str], items: int) -> int | None:
    if kind not in limits:
        return None if kind in _UNLIMITED else 0
    return limit_of(kind, limits[kind], items)


def limit_of(kind: str, limit: int | str, of: int) -> int:
    """How many a limit allows: a number, or a share of `of` such as "0.01%". Raises CrossfadeError."""
    text = str(limit)
    if not LIMIT.fullmatch(text):
        raise CrossfadeError(
            f"gate {kind}={text} is neither a number of differences nor a share such as 0.01%"
        )
    return int(Fraction(text[:-1]) * of / 100) if text.endswith("%") else int(text)
