"""The columns of a log record, wherever it is held: a poll, a lake, a segment of the file log."""

import pyarrow as pa

RECORD_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("append_time", pa.int64(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
    ]
)
"""partition int32, offset int64, append_time int64 (ms, -1 unknown), key and value binary or null."""
