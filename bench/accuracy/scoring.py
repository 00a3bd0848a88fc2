"""What counts as found and as false: the same for every method, from what it calls a query's duplicates."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.accuracy.protocol import Protocol, Query
from bench.attacks import ATTACKS
from shared.run import Run

Answers = npt.NDArray[np.bool_]
"""bool[queries, database]: whether a method calls the two duplicates."""


@dataclass(frozen=True)
class Score:
    """positives: queries whose original is in the database; found: of those, how many lead to it.

    queries: positives and controls; false: how many of those lead to another photograph of the database.
    A query can be both. Precision is found / (found + false).
    """

    positives: int
    found: int
    queries: int
    false: int

    @property
    def recall(self) -> float:
        return self.found / self.positives

    @property
    def precision(self) -> float:
        """1 where nothing was found at all, rightly or falsely."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def false_rate(self) -> float:
        return self.false / self.queries

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True)
class Scores:
    """Of all queries, and of those of each group and of each attack. false: {(photograph of a query, another
    of the database that it leads to): queries}, the most first."""

    whole: Score
    groups: dict[str, Score]
    attacks: dict[str, Score]
    false: dict[tuple[str, str], int]


@dataclass(frozen=True)
class QueryEdges:
    """Edges of which both ends are queries; `mixed`: those between different photographs."""

    edges: int
    mixed: int


def score(protocol: Protocol, answers: Answers) -> Scores:
    """A match of photographs that are labelled as one is not false; only a query's own original is found."""
    queries = protocol.queries
    original = np.array([query.original for query in queries])
    positive = original >= 0
    found = np.asarray(positive & answers[np.arange(len(queries)), original])
    wrong = answers & ~protocol.same_photograph
    false = np.asarray(wrong.any(axis=1))
    pairs = Counter((queries[i].photograph, protocol.database[j]) for i, j in np.argwhere(wrong).tolist())

    def of(rows: npt.NDArray[np.bool_]) -> Score:
        return Score(*(int(what[rows].sum()) for what in (positive, found, np.ones_like(false), false)))

    def each(key: Callable[[Query], str]) -> dict[str, Score]:
        keys = np.array([key(query) for query in queries])
        return {name: of(keys == name) for name in dict.fromkeys(map(key, in_order))}

    in_order = sorted(queries, key=lambda query: list(ATTACKS).index(query.attack))
    return Scores(
        of(np.ones_like(false)),
        each(lambda query: ATTACKS[query.attack].group),
        each(lambda query: query.attack),
        dict(sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def answers_of_run(protocol: Protocol, run: Run) -> Answers:
    """An edge between the two, or one cluster that holds both."""
    size = len(protocol.database)
    edges, clusters = (
        run.read("edges", columns=["earlier", "later"]),
        run.read("clusters", columns=["id", "head"]),
    )
    earlier, later = (places(protocol, edges.column(name)) for name in ("earlier", "later"))
    answers = np.zeros((len(protocol.queries), size), np.bool_)
    between = (earlier < size) & (later >= size)
    answers[later[between] - size, earlier[between]] = True
    heads = np.full(len(protocol.items), -1)
    heads[places(protocol, clusters.column("id"))] = places(protocol, clusters.column("head"))
    if (heads < 0).any():
        raise ValueError(f"{run.path} has no cluster for {(heads < 0).sum():,} of the pictures")
    return np.asarray(answers | (heads[size:, None] == heads[None, :size]))


def query_edges(protocol: Protocol, run: Run) -> QueryEdges:
    size, edges = len(protocol.database), run.read("edges", columns=["earlier", "later"])
    ends = [places(protocol, edges.column(name)) - size for name in ("earlier", "later")]
    both = (ends[0] >= 0) & (ends[1] >= 0)
    names = [[protocol.queries[row].photograph for row in end[both].tolist()] for end in ends]
    mixed = sum(not protocol.one_photograph(a, b) for a, b in zip(*names, strict=True))
    return QueryEdges(int(both.sum()), mixed)


def places(protocol: Protocol, ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """int64: where each id stands in protocol.items. ValueError for an id that is none of them."""
    found = pc.index_in(ids, value_set=pa.array(protocol.items, pa.string()))
    if found.null_count:
        raise ValueError(f"{found.null_count:,} ids of the run are none of this benchmark's pictures")
    return np.asarray(found.to_numpy(), np.int64)
