"""What is in a consumer's state, as plain JSON values. The counterpart of parity/inspect.py for runs."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from stream import state
from stream.export import counts, state_fence, state_spec
from stream.stores import open_store
from stream.stores.protocol import FAMILIES, Store

LARGEST = 10


def describe(path: Path) -> dict[str, Any]:
    """SourceError where `path` holds no state, or a consumer has it open."""
    store = open_store(path, create=False)
    try:
        return _describe(path, store)
    finally:
        store.close()


def _describe(path: Path, store: Store) -> dict[str, Any]:
    spec, fence = state_spec(store), state_fence(store)
    (contract,) = store.get_many("meta", [state.META_CONTRACT])
    found = counts(store, spec)
    sizes = Counter({key: int.from_bytes(size, "big") for key, size in store.scan("members")})
    ranges: Counter[int] = Counter(1 << (size.bit_length() - 1) for size in sizes.values())
    return {
        "kind": "state",
        "path": str(path),
        "contract_id": orjson.loads(contract or b"{}").get("id"),
        "spec": spec.name,
        "stands_at": fence.describe(),
        "fence": fence.to_json(),
        "counts": found,
        "families": {family: sum(1 for _ in store.scan(family)) for family in FAMILIES},
        "bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "clusters": len(sizes),
        "cluster_sizes": {
            str(start) if start == 1 else f"{start}-{2 * start - 1}": n for start, n in sorted(ranges.items())
        },
        "largest_clusters": [
            {"head": key[1:].decode(), "size": size} for key, size in sizes.most_common(LARGEST) if size > 1
        ],
    }
