"""Which photographs are the database, which are attacked, and which queries come of them, in which order.

Everything follows from the names of the files, by sha256: the same on every machine, and nobody can choose.
"""

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.attacks import ATTACKS
from shared.errors import SourceError
from shared.sources import IMAGE_SUFFIXES

LOOKALIKES = "lookalike_pairs.tsv"  # in a collection that has it: a, b, thumb16_corr, label
NEAR_DUPLICATE, DIFFERENT = "near_dup", "different_item"


@dataclass(frozen=True)
class Sizes:
    """How many photographs are the database, how many of those are attacked, and how many others are."""

    database: int = 250
    positives: int = 100
    controls: int = 100


SMALL = Sizes(60, 15, 15)


@dataclass(frozen=True)
class Query:
    """An attacked picture. original: its row in the database, or -1 for a control."""

    item: str
    photograph: str
    attack: str
    original: int


@dataclass(frozen=True)
class Protocol:
    """Paths below `root`. controls: photographs that are not in the database. same: pairs labelled as one."""

    root: Path
    database: tuple[str, ...]
    attacked: tuple[str, ...]
    controls: tuple[str, ...]
    same: frozenset[frozenset[str]]

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Every attack on every attacked photograph and control, shuffled.

        Shuffled because the order decides what an item can draw: in the order of the photographs an item's
        nearest earlier ones would always be copies of the same photograph.
        """
        rows = {photograph: row for row, photograph in enumerate(self.database)}
        found = [
            Query(item_id(photograph, attack), photograph, attack, rows.get(photograph, -1))
            for photograph in (*self.attacked, *self.controls)
            for attack in ATTACKS
        ]
        return tuple(sorted(found, key=lambda query: _order(query.item)))

    @property
    def items(self) -> list[str]:
        """All ids in the order of their event times: the database, then the queries."""
        return [*self.database, *(query.item for query in self.queries)]

    @cached_property
    def same_photograph(self) -> npt.NDArray[np.bool_]:
        """bool[queries, database]: whether a match of the two is no mistake."""
        shown = np.array([self._group(photograph) for photograph in self.database])
        asked = np.array([self._group(query.photograph) for query in self.queries])
        return np.asarray(asked[:, None] == shown[None, :])

    def one_photograph(self, a: str, b: str) -> bool:
        """Whether two photographs are one: the same, or labelled as near-duplicates."""
        return self._group(a) == self._group(b)

    def _group(self, photograph: str) -> str:
        return min([photograph, *(name for pair in self.same if photograph in pair for name in pair)])


def item_id(photograph: str, attack: str) -> str:
    """The id of an attacked picture, which is also its path in the folder of pictures."""
    return f"{photograph}/{attack.replace(' ', '-')}{ATTACKS[attack].suffix}"


def choose(root: Path, sizes: Sizes, held_out: bool) -> Protocol:
    """The protocol on the photographs below `root`. SourceError where there are too few.

    held_out: only those whose path has an odd sha256. The others are what the codebook was trained on.
    """
    photographs = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    usable = [name for name in photographs if not held_out or not trains_codebook(name)]
    usable.sort(key=_order)
    same = frozenset(frozenset((a, b)) for a, b in labelled(root, NEAR_DUPLICATE))
    database = usable[: sizes.database]
    twins = {name for pair in same if pair & set(database) for name in pair}
    controls = [name for name in usable[sizes.database :] if name not in twins][: sizes.controls]
    if len(database) < sizes.database or len(controls) < sizes.controls:
        raise SourceError(
            f"{root} has {len(photographs)} photographs, {len(usable)} of them usable; {sizes.database} for "
            f"the database and {sizes.controls} controls are needed; take a larger collection, or --small"
        )
    return Protocol(root, tuple(database), tuple(database[: sizes.positives]), tuple(controls), same)


def labelled(root: Path, label: str) -> list[tuple[str, str]]:
    """The pairs with this label in the collection's list of look-alikes; none where it has no list."""
    table = root / LOOKALIKES
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(row["a"], row["b"]) for row in rows if row["label"] == label]


def trains_codebook(photograph: str) -> bool:
    """The rule that splits ../shared/data/photos: an even sha256 of the path trains the codebook."""
    return hashlib.sha256(photograph.encode()).digest()[-1] % 2 == 0


def _order(name: str) -> str:
    return hashlib.sha256(f"order/{name}".encode()).hexdigest()
