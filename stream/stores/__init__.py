"""State stores: an ordered key-value map a family, written in atomic batches."""

from pathlib import Path

from stream.stores.protocol import Store


def open_store(path: Path, create: bool = True) -> Store:
    """The RocksDB store in this folder. SourceError if it is in use, damaged or (create=False) absent."""
    from stream.stores.rocks import RocksStore

    return RocksStore(path, create)
