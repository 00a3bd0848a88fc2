"""What an explanation comes to, in sentences: where two sides part, and whose rows do not follow."""

from collections.abc import Iterator

from parity.explain import words
from parity.explain.result import STAGES, Explanation, SideView


def sentences(explanation: Explanation) -> tuple[str, ...]:
    return tuple(_sentences(explanation))


def _sentences(explanation: Explanation) -> Iterator[str]:
    parting, sides = explanation.parting, explanation.sides
    if parting is not None:
        yield f"They part at {parting.stage} because {parting.text}."
        yield from (f"{more[0].upper()}{more[1:]}." for more in parting.more)
    elif len(sides) == 2:
        what = " and ".join(words.name(item) for item in explanation.ids)
        yield f"Nothing parts: A and B store the same of {what} at every stage."
    else:
        yield "Nothing parts: one side is looked at."
    if not any(side.faults for side in sides):
        whose = "Each side's" if len(sides) == 2 else "A's"
        yield f"{whose} own rows follow from each other at every stage."
        return
    yield from (follows(side) for side in sides)
    faulty = [side for side in sides if side.faults]
    if parting is not None and len(faulty) == 1 and faulty[0].faults[0].stage == parting.stage:
        yield f"So it is {faulty[0].name} that is wrong at {parting.stage}."


def follows(side: SideView) -> str:
    """Whether a side's rows follow from each other, and where they first do not."""
    if not side.faults:
        return f"{side.name}'s own rows follow from each other at every stage."
    first = side.faults[0]
    later = [stage for stage in STAGES if any(f.stage == stage for f in side.faults) and stage != first.stage]
    more = f" Nor do they at {', '.join(later)}." if later else ""
    return f"{side.name}'s own rows do not follow from each other at {first.stage}: {first.text}.{more}"
