"""The topics a consumer writes: `clusters`, its progress and the dead letters. And how to read them back.

    TOPIC            key = id; value = JSON of ClusterChange, none for an id that is in no cluster
    TOPIC.progress   key = the items topic's id; value = {contract, source, offsets}
    TOPIC.dead       key = partition:offset; value = the record's bytes, at most LETTER_BYTES of them,
                     the reason in a header, and if they were cut their number in another

All are written in the consumer's transactions and are to be read with read_committed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from shared.contract import contract_id
from shared.errors import ContractError, SourceError
from shared.fence import Fence
from shared.spec import Spec
from stream.changes import ClusterChange
from stream.logs.protocol import LogIdentity, LogReader, OutMessage

CONTRACT, KIND, REASON = "crossfade-contract", "crossfade-kind", "crossfade-reason"
TRUNCATED = "crossfade-truncated"

# A record of any size may be malformed, and one that was compressed is larger here than where it met its
# topic's limit. Half of the 1 MiB that Kafka's topics take by default: a letter always finds room.
LETTER_BYTES = 512 << 10


@dataclass(frozen=True)
class OutputTopics:
    """Addresses of the topics that belong to one `clusters` topic."""

    clusters: str

    @property
    def progress(self) -> str:
        return f"{self.clusters}.progress"

    @property
    def dead(self) -> str:
        return f"{self.clusters}.dead"


def change_messages(spec: Spec, topics: OutputTopics, changes: Iterable[ClusterChange]) -> list[OutMessage]:
    contract = contract_id(spec).encode()
    return [
        OutMessage(topics.clusters, c.id, c.value(spec), {CONTRACT: contract, KIND: c.kind.encode()})
        for c in changes
    ]


def dead_messages(spec: Spec, topics: OutputTopics, dead: pa.Table) -> list[OutMessage]:
    """dead: events.DEAD_SCHEMA. The key says where the whole of a cut record is, in the log and the lake."""
    contract = contract_id(spec).encode()
    letters = []
    for row in dead.to_pylist():
        value: bytes | None = row["value"]
        headers = {CONTRACT: contract, REASON: row["reason"].encode()}
        if value is not None and len(value) > LETTER_BYTES:
            headers[TRUNCATED] = str(len(value)).encode()
            value = value[:LETTER_BYTES]
        key = f"{row['partition']}:{row['offset']}".encode()
        letters.append(OutMessage(topics.dead, key, value, headers))
    return letters


def progress_message(spec: Spec, topics: OutputTopics, fence: Fence) -> OutMessage:
    """What output has been published: all that follows from the items before `fence`."""
    value = orjson.dumps({"contract": contract_id(spec), "fence": fence.to_json()})
    return OutMessage(topics.progress, fence.topic.encode(), value, {CONTRACT: contract_id(spec).encode()})


def read_progress(spec: Spec, reader: LogReader, source: LogIdentity) -> dict[int, int] | None:
    """{partition: next offset} of the newest progress record for this items topic, if there is one.

    Raises ContractError for a record of another contract, SourceError for one of another items topic.
    """
    newest: dict[str, Any] | None = None
    for message in reader.messages_until(reader.end_offsets()):
        if message.value is not None:
            newest = orjson.loads(message.value)
    if newest is None:
        return None
    _require_contract(spec, str(newest["contract"]), reader.identity.name)
    fence = Fence.from_json(newest["fence"], f"the progress record in {reader.identity.name}")
    if (fence.cluster, fence.topic) != (source.cluster, source.topic_id):
        raise SourceError(
            f"the topic {reader.identity.name} belongs to {fence.describe()}, and {source.name} is topic "
            f"{source.topic_id} of cluster {source.cluster}; name another topic with --output"
        )
    return fence.positions()


def read_clusters(reader: LogReader, spec: Spec | None = None) -> dict[str, dict[str, Any]]:
    """The clustering that a reader of the topic alone can rebuild: id -> {head, channel, …}.

    With a spec, raises ContractError where a record was written under another contract.
    """
    clusters: dict[str, dict[str, Any]] = {}
    for message in reader.messages_until(reader.end_offsets()):
        if spec is not None:
            _require_contract(spec, message.headers.get(CONTRACT, b"none").decode(), reader.identity.name)
        item = (message.key or b"").decode()
        if message.value is None:
            clusters.pop(item, None)
        else:
            clusters[item] = orjson.loads(message.value)
    return clusters


def tombstones(ids: Sequence[str]) -> list[ClusterChange]:
    return [ClusterChange(item.encode(), "left") for item in ids]


def _require_contract(spec: Spec, found: str, topic: str) -> None:
    if found != contract_id(spec):
        raise ContractError(
            f"the topic {topic} was written under contract {found} and this spec ({spec.name}) has "
            f"{contract_id(spec)}; name another topic with --output, or use the spec it was made with"
        )
