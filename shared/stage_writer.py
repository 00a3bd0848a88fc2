"""Writes one Parquet file of a run's stage (or of a work table), a bounded row group at a time."""

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 65_536
GROUP_BYTES = 64 * 2**20
CONTRACT_KEY = b"crossfade.contract_id"


class StageWriter:
    """A context manager. Rows come in the order in which they are to be in the file: (shard, id).

    At most GROUP_ROWS rows or about GROUP_BYTES are held before they are written. Without rows it writes
    a file without rows: a table that is empty is not one that is missing.
    """

    def __init__(self, file: Path, schema: pa.Schema, contract_id: str) -> None:
        self.file = file
        self.rows = 0
        self._schema = schema.with_metadata({CONTRACT_KEY: contract_id.encode()})
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._pending_bytes = 0

    def write(self, table: pa.Table) -> None:
        """Append rows; columns are taken by name and must have the schema's types."""
        table = table.select(self._schema.names).cast(self._schema)
        self.rows += table.num_rows
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self._pending_bytes += table.nbytes
        if self._pending_rows >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._opened().close()

    def __enter__(self) -> "StageWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _flush(self) -> None:
        if self._pending_rows:
            self._opened().write_table(pa.concat_tables(self._pending), row_group_size=GROUP_ROWS)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def _opened(self) -> pq.ParquetWriter:
        if self._writer is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.file, self._schema, compression="zstd", compression_level=1)
        return self._writer
