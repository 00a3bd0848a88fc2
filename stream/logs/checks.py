"""What every reader refuses, in one wording."""

from collections.abc import Mapping

from shared.errors import SourceError
from stream.logs.protocol import LogReader

STALL_SECONDS = 60.0
"""A broker that gives nothing for so long, although the log goes on, is taken to be away."""


def check_partitions(reader: LogReader, positions: Mapping[int, int]) -> None:
    """SourceError unless the topic has all partitions of `positions`."""
    unknown = sorted(set(positions) - set(reader.partitions))
    if unknown:
        raise SourceError(
            f"the topic {reader.identity.name} has no partition {unknown[0]}; "
            f"its partitions are 0 to {len(reader.partitions) - 1}."
        )


def check_reachable(reader: LogReader, offsets: Mapping[int, int]) -> None:
    """SourceError unless the log holds everything before `offsets` ({partition: next offset})."""
    check_partitions(reader, offsets)
    ends = reader.end_offsets()
    for partition, offset in sorted(offsets.items()):
        if offset > ends[partition]:
            raise SourceError(
                f"the topic {reader.identity.name} does not go that far: partition {partition} ends at "
                f"offset {ends[partition]}, before {offset}; let open transactions end or take another fence."
            )
