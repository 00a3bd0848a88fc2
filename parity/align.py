"""May two runs be compared at all? Only over one set of records; with one contract, but for an upgrade."""

from typing import Any

from shared import contract
from shared.errors import ContractError, CrossfadeError
from shared.fence import Fence
from shared.run import Run

_KINDS = {"text": "texts", "vector": "vectors", "image": "pictures"}


class AlignmentError(CrossfadeError):
    """The runs did not see the same records."""


def require_comparable(a: Run, b: Run, late: bool = False) -> dict[str, Any]:
    """What aligns the runs, {"fence": …}, {"fences": [A's, B's]} or {"event_set": …}.

    late: two fences of one log may be compared. Raises ContractError or AlignmentError.
    """
    try:
        contract.require_equal(
            str(a.path),
            a.manifest["contract"],
            a.contract_id,
            str(b.path),
            b.manifest["contract"],
            b.contract_id,
        )
    except ContractError as error:
        raise ContractError(f"{error}; what a new spec gains and loses is shown by --upgrade") from error
    if late and a.fence and b.fence:
        return {"fences": [a.fence.to_json(), b.fence.to_json()]}
    return _aligned_by(a, b, ", or compare them with --allow-late")


def require_upgrade(a: Run, b: Run) -> dict[str, Any]:
    """What aligns the runs of two specs, {"fence": …} or {"event_set": …}.

    Raises ContractError where the contracts are equal or take other payloads, AlignmentError where the runs
    did not see the same records.
    """
    if a.contract_id == b.contract_id:
        raise ContractError(
            f"{a.path} and {b.path} have one contract, {a.contract_id}, so nothing is upgraded between them; "
            f"compare them without --upgrade"
        )
    kinds = [_KINDS[run.spec.kind] for run in (a, b)]
    if kinds[0] != kinds[1]:
        raise ContractError(
            f"{a.path} is of {kinds[0]} and {b.path} of {kinds[1]}, so there is nothing that both could "
            f"find; compare runs of specs that take one kind of payload"
        )
    return _aligned_by(a, b, "")


def _aligned_by(a: Run, b: Run, otherwise: str) -> dict[str, Any]:
    """otherwise: what else may be done about unequal fences."""
    if a.fence and b.fence:
        if a.fence != b.fence:
            raise AlignmentError(f"{_unequal_fences(a, a.fence, b, b.fence)}{otherwise}")
        return {"fence": a.fence.to_json()}
    if a.fence or b.fence:
        fenced, loose = (a, b) if a.fence else (b, a)
        raise AlignmentError(
            f"{fenced.path} stands at a fence and {loose.path} was made from files without offsets, so "
            f"nobody can tell whether they saw the same records; make both from one lake, or both from files"
        )
    if a.event_set is None or a.event_set != b.event_set:
        raise AlignmentError(
            f"{a.path} and {b.path} were made from different sets of events ({a.event_set or 'unknown'} "
            f"against {b.event_set or 'unknown'}); make both from the same files"
        )
    return {"event_set": a.event_set}


def _unequal_fences(a: Run, fence_a: Fence, b: Run, fence_b: Fence) -> str:
    parts = [
        f"{name} {x} against {y}"
        for name, x, y in (
            ("cluster", fence_a.cluster, fence_b.cluster),
            ("topic", fence_a.topic, fence_b.topic),
        )
        if x != y
    ]
    left, right = fence_a.positions(), fence_b.positions()
    parts += [
        f"partition {partition} ({left.get(partition, 'absent')} against {right.get(partition, 'absent')})"
        for partition in sorted(left | right)
        if left.get(partition) != right.get(partition)
    ]
    return (
        f"{a.path} and {b.path} stand at different fences, so they did not see the same records: "
        f"{fence_a.describe()} against {fence_b.describe()}; they differ in {', '.join(parts)}; "
        f"make one of them again at the other's fence"
    )
