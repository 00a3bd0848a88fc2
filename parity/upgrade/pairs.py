"""The pairs that a run has gained or lost against another: edges, or members with their heads."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.upgrade.parted import Parted, partings
from shared import digests
from shared.run import CLUSTERS, EDGES, Run, Stage

PAIR = pa.schema([("later", pa.string()), ("earlier", pa.string())])


@dataclass(frozen=True)
class Family:
    """A kind of pairs: the table that holds them, and its columns with the two ends."""

    what: str
    stage: Stage
    later: str
    earlier: str


EDGE = Family("edges", EDGES, "later", "earlier")
MEMBERSHIP = Family("memberships", CLUSTERS, "id", "head")


@dataclass(frozen=True)
class Sample:
    """Pairs of one side alone. set_aside: those with an unequal end. table (PAIR): a sample of the others."""

    pairs: int
    set_aside: int
    table: pa.Table

    def plus(self, pairs: pa.Table, unequal: pa.Array, most: int) -> "Sample":
        """With these pairs too; of all the `most` whose hashes are smallest, in whatever order they come."""
        apart = np.zeros(pairs.num_rows, bool)
        for end in PAIR.names if len(unequal) else ():
            apart |= np.asarray(pc.is_in(pairs.column(end), unequal), bool)
        table = pa.concat_tables([self.table, pairs.filter(pa.array(~apart))])
        if table.num_rows > most:
            hashes = digests.row_hashes(table, PAIR.names)
            table = table.take(pa.array(np.lexsort((hashes[:, 1], hashes[:, 0]))[:most]))
        return Sample(self.pairs + pairs.num_rows, self.set_aside + int(apart.sum()), table)


NOTHING = Sample(0, 0, PAIR.empty_table())


@dataclass(frozen=True)
class Compared:
    """One family in both runs. changed: string, of memberships the ids whose head differs."""

    what: str
    in_a: int
    in_b: int
    other_channel: int
    other_numbers: int
    gained: Sample
    lost: Sample
    changed: pa.Array


def compare_pairs(a: Run, b: Run, family: Family, unequal: pa.Array, most: int) -> Compared:
    """unequal: ids whose pairs are set aside. most: pairs of a sample.

    Memory: a part of the rows, and the samples. Raises SourceError.
    """
    gained = lost = NOTHING
    other_channel = other_numbers = 0
    changed = [pa.array([], pa.string())]
    for parted in partings(a, b, family.stage, (family.later, family.earlier)):
        lost = lost.plus(_pairs(parted.a_only, family), unequal, most)
        gained = gained.plus(_pairs(parted.b_only, family), unequal, most)
        channel, numbers = _others(parted)
        other_channel, other_numbers = other_channel + channel, other_numbers + numbers
        if family is MEMBERSHIP:
            changed += (table.column("id").combine_chunks() for table in (parted.a_only, parted.b_only))
    in_a = a.rows(family.stage.name) if family is EDGE else _members(a)
    return Compared(
        what=family.what,
        in_a=in_a,
        in_b=in_a - lost.pairs + gained.pairs,
        other_channel=other_channel,
        other_numbers=other_numbers,
        gained=_sorted(gained),
        lost=_sorted(lost),
        changed=pc.unique(pa.concat_arrays(changed)),
    )


def _pairs(rows: pa.Table, family: Family) -> pa.Table:
    """PAIR. A head's own row is no pair."""
    columns = [rows.column(family.later), rows.column(family.earlier)]
    pairs = pa.table(columns, schema=PAIR)
    return pairs.filter(pc.not_equal(*columns)) if family is MEMBERSHIP else pairs


def _others(parted: Parted) -> tuple[int, int]:
    """Of rows with one key: how many another channel matches; how many the same with other numbers."""
    a, b = parted.a_both, parted.b_both
    channel = _unequal(a, b, "channel")
    numbers = _unequal(a, b, "numerator") | _unequal(a, b, "denominator")
    return int(channel.sum()), int((numbers & ~channel).sum())


def _unequal(a: pa.Table, b: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.not_equal(a.column(name), b.column(name)), bool)


def _members(run: Run) -> int:
    columns = ["id", "head"]
    return sum(
        pc.sum(pc.not_equal(*(batch.column(name) for name in columns))).as_py() or 0
        for batch in run.batches("clusters", columns)
    )


def _sorted(sample: Sample) -> Sample:
    """By ids, so that nothing depends on how the run's rows lie in files."""
    return replace(sample, table=sample.table.sort_by([(name, "ascending") for name in PAIR.names]))
