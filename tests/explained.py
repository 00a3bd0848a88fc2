"""What `explain` looks at, made by real code from a history: a state, the run of its export, and a lake."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from parity.explain.runs import RunSide
from shared.contract import contract, contract_id
from shared.fence import Fence
from shared.lake import Lake, write_lake, write_lake_file
from shared.run import open_run
from shared.spec import Spec, from_dict, to_dict
from stream import state
from stream.export import export
from stream.side import StateSide
from stream.stores.memory import MemoryStore
from stream.stores.protocol import Store
from tests.engines import record_table, stream_through
from tests.histories import Record

CLUSTER, TOPIC = "cluster-1", "topic-1"


@dataclass(frozen=True)
class Made:
    """A state in memory, and the run that was exported from it."""

    store: Store
    run: Path

    @property
    def state_side(self) -> StateSide:
        return StateSide(self.store, Path("the state"))

    @property
    def run_side(self) -> RunSide:
        return RunSide(open_run(self.run))


def fill(store: Store, spec: Spec, records: Sequence[Record]) -> None:
    """What a consumer leaves in its store."""
    meta = {"id": contract_id(spec), "contract": contract(spec), "spec": to_dict(spec)}
    source = {"cluster": CLUSTER, "topic": TOPIC, "name": "items"}
    values = {state.META_FORMAT: state.FORMAT, state.META_CONTRACT: meta, state.META_SOURCE: source}
    store.write({"meta": {name: orjson.dumps(value) for name, value in values.items()}})
    stream_through(store, spec, [list(records)])


def make(spec: dict[str, Any], records: Sequence[Record], run: Path, lake: Path | None = None) -> Made:
    """lake: the lake that the run names, and that is written there."""
    store = MemoryStore()
    fill(store, from_dict(spec), records)
    if lake is not None:
        write(lake, records)
    export(store, run, lake=lake)
    return Made(store, run)


def write(lake: Path, records: Sequence[Record], topic: str = TOPIC) -> None:
    """A lake of these records."""
    by_partition: dict[int, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record[:2]):
        by_partition[record[0]].append(record)
    ends = {partition: own[-1][1] + 1 for partition, own in by_partition.items()}
    files = [
        write_lake_file(lake, partition, 0, ends[partition], record_table(own))
        for partition, own in by_partition.items()
    ]
    write_lake(lake, Lake("items", Fence.at(CLUSTER, topic, ends), tuple(files)))


def strings(*values: str) -> pa.Array:
    return pa.array(values, pa.string())
