"""What of two runs judges pairs of ids: verification records, and the signatures of who misses a pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.upgrade.kinds import A, B, Kind
from parity.upgrade.mapped import Filling, Mapped
from parity.upgrade.wanted import NOWHERE, Wanted
from shared.errors import SourceError
from shared.run import DAMAGED, Run
from shared.spec import Channel

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Features:
    """Of the wanted ids, by kind: records (of either run, which are equal), and present[side]: bool[n].

    unequal: bool[n], ids that have other records in A than in B.
    """

    records: tuple[Mapped, ...]
    present: tuple[tuple[Bools, Bools], ...]
    unequal: Bools


def read_records(runs: tuple[Run, Run], kinds: Sequence[Kind], ids: Wanted, folder: Path) -> Features:
    """runs: A and B. Reads their verification records once; keeps those that judge in files in `folder`.

    Raises SourceError where a record is not what its rule compares, CrossfadeError where there is no room.
    """
    fillings = [Filling(folder / f"records-{number}", len(ids)) for number in range(len(kinds))]
    present = tuple((np.zeros(len(ids), bool), np.zeros(len(ids), bool)) for _ in kinds)
    unequal = np.zeros(len(ids), bool)
    for side in (B, A):
        by_rows = {name: number for number, kind in enumerate(kinds) if (name := kind.rows(side))}
        for name, places, values in _rows(runs[side], "verification", "record", by_rows, ids):
            kind = kinds[by_rows[name]]
            present[by_rows[name]][side][places] = True
            if kind.records(side):
                _require_whole(runs[side], kind, name, values)
                unequal[fillings[by_rows[name]].add(places, values)] = True
    return Features(tuple(filling.done() for filling in fillings), present, unequal)


def read_signatures(
    run: Run, channels: Sequence[Channel], ids: Wanted, of: Bools, folder: Path
) -> dict[str, Mapped]:
    """channel -> its signatures of the ids in `of` (bool[n]); without those that are not of its length."""
    size = {channel.name: 4 * channel.minhash.permutations for channel in channels}
    own = Path(mkdtemp(dir=folder))
    fillings = {name: Filling(own / str(number), len(ids)) for number, name in enumerate(size)}
    for name, places, values in _rows(run, "signatures", "signature", list(size), ids):
        good = of[places] & (pc.binary_length(values).to_numpy(zero_copy_only=False) == size[name])
        fillings[name].add(places[good], values.filter(pa.array(good)))
    return {name: filling.done() for name, filling in fillings.items()}


def _rows(
    run: Run, stage: str, column: str, channels: Sequence[str] | dict[str, int], ids: Wanted
) -> Iterator[tuple[str, Int64s, pa.Array]]:
    """(channel, places, values) of the wanted ids, a batch of the table at a time."""
    for batch in run.batches(stage, ["id", "channel", column]):
        places = ids.find(batch.column("id"))
        if not (places != NOWHERE).any():
            continue
        for name in channels:
            mine = (places != NOWHERE) & _mask(pc.equal(batch.column("channel"), name))
            yield name, places[mine], batch.column(column).filter(pa.array(mine))


def _require_whole(run: Run, kind: Kind, channel: str, records: pa.Array) -> None:
    """No kernel may read past the end of a damaged record."""
    sizes = pc.binary_length(records).to_numpy(zero_copy_only=False)
    bits = next(c for side in kind.channels for c in side).extractor.bit_count
    damaged = (sizes != bits // 8) if kind.what == "bits" else (sizes % 8 != 0) | (sizes == 0)
    if damaged.any():
        raise SourceError(
            f"{run.path}: a verification record of channel {channel} has {sizes[damaged][0]} bytes, which "
            f"is none of {kind.what}; {DAMAGED}"
        )


def _mask(values: pa.Array) -> Bools:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)
