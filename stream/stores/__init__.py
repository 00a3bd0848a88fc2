"""State stores: an ordered key-value map a family, written in atomic batches."""

from pathlib import Path

from stream.stores.protocol import Reader, Store


def open_store(path: Path, create: bool = True) -> Store:
    """The RocksDB store in this folder. SourceError if it is in use, damaged or (create=False) absent."""
    from stream.stores.rocks import RocksStore

    return RocksStore(path, create)


def read_store(path: Path) -> Reader:
    """The RocksDB store in this folder as it is now, to be read while its consumer goes on writing.

    What is written later does not show. SourceError where there is no state, or it cannot be read.
    """
    from stream.stores.rocks import RocksReader

    return RocksReader(path)
