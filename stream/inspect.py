"""What is in a consumer's state, as plain JSON values. The counterpart of parity/inspect.py for runs."""

from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from stream.checked import Checked
from stream.contradictions import contradictions
from stream.export import bucket_counts, counts
from stream.meta import state_contract, state_fence, state_spec
from stream.stores import read_store
from stream.stores.protocol import FAMILIES, Reader

LARGEST = 10
LISTED = 10  # contradictions that are shown; all are counted


def describe(path: Path, verify: bool = False) -> dict[str, Any]:
    """As the state stands now; a consumer may have it open.

    verify: also `contradictions`, how many there are by family, and the first of them. SourceError where
    `path` holds no state, or one that is damaged.
    """
    with closing(read_store(path)) as store:
        return _describe(path, store, verify)


def _describe(path: Path, store: Reader, verify: bool) -> dict[str, Any]:
    contract, spec, fence = state_contract(store), state_spec(store), state_fence(store)
    unchecked, store = store, Checked(store, spec)
    families = {family: sum(1 for _ in store.scan(family)) for family in FAMILIES}
    sizes = Counter({key: int.from_bytes(size, "big") for key, size in store.scan("members")})
    ranges: Counter[int] = Counter(1 << (size.bit_length() - 1) for size in sizes.values())
    described = {
        "kind": "state",
        "path": str(path),
        "contract_id": contract["id"],
        "spec": spec.name,
        "stands_at": fence.describe(),
        "fence": fence.to_json(),
        "counts": counts(store) | bucket_counts(unchecked, spec),
        "families": families,
        "bytes": _bytes(path),
        "clusters": len(sizes),
        "cluster_sizes": {
            str(start) if start == 1 else f"{start}-{2 * start - 1}": n for start, n in sorted(ranges.items())
        },
        "largest_clusters": [
            {"head": key[1:].decode(), "size": size} for key, size in sizes.most_common(LARGEST) if size > 1
        ],
    }
    return described | _contradictions(store) if verify else described


def _bytes(path: Path) -> int:
    total = 0
    for file in path.rglob("*"):
        with suppress(FileNotFoundError):  # its consumer merged it into another
            total += file.stat().st_size if file.is_file() else 0
    return total


def _contradictions(store: Checked) -> dict[str, Any]:
    numbers: Counter[str] = Counter()
    first: list[dict[str, str]] = []
    for found in contradictions(store, state_spec(store)):
        numbers[found.family] += 1
        if len(first) < LISTED:
            first.append({"family": found.family, "id": found.id, "says": found.says})
    return {"contradictions": sum(numbers.values()), "by_family": dict(numbers), "first": first}
