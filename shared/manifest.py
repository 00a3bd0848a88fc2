"""What a run's manifest must be before anybody relies on it: every part that is printed or used."""

import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from shared import contract
from shared.errors import SourceError, SpecError
from shared.fence import Fence
from shared.shape import INNER_PATH, INTEGER, NUMBER, OBJECT, PATH, TEXT, WHOLE, Each, Shape, require, shown

_SHARD, _DIGEST = re.compile("[0-9a-f]{2}"), re.compile("[0-9]{1,18}:[0-9a-f]{32}")
AGAIN = "write the run again"

_FILE: Shape = {"path": TEXT, "bytes": WHOLE, "rows": WHOLE, "sha256": TEXT}
_BUCKET: Shape = {"channel": TEXT, "band": WHOLE, "bucket": TEXT, "members": WHOLE, "left_out": WHOLE}
_INPUT: Shape = {
    "fence?": OBJECT,
    "event_set?": TEXT,
    "lake?": PATH,
    "files?": [TEXT],
    "watermark_ms?": INTEGER,
}
_NUMBERS = (  # what the engines count; each has its own
    *("records", "events", "items", "buckets", "pairs", "pairs_verified", "left_out", "edges"),
    *("rounds", "head_checks", "clusters_of_several", "members_of_several"),
)
_COUNTS: Shape = {
    **{f"{name}?": WHOLE for name in _NUMBERS},
    "dead_letters": Each(WHOLE),
    "statuses?": Each(WHOLE),
    "hot_buckets?": [_BUCKET],
    "decider?": TEXT,
}


def check_manifest(file: Path, manifest: dict[str, Any], stages: Collection[str]) -> None:
    """SourceError or SpecError, which name the file, unless it is the manifest of such a run."""
    stage: Shape = {"rows": WHOLE, "digests": OBJECT, "files": [_FILE]}
    shape: Shape = {
        "engine": TEXT,
        "versions": Each(TEXT),
        "written_at_ms": WHOLE,
        "contract_id": TEXT,
        "contract": OBJECT,
        "spec": OBJECT,
        "input": _INPUT,
        "counts": _COUNTS,
        "stages": dict.fromkeys(stages, stage),
        "seconds": Each(NUMBER),
    }
    require(manifest, shape, str(file), AGAIN)
    _check_input(file, manifest)
    _check_contract(file, manifest)
    for name in stages:
        _check_digests(file, name, manifest["stages"][name]["digests"])
        _check_paths(file, name, [entry["path"] for entry in manifest["stages"][name]["files"]])


def fence_of(file: Path, manifest: dict[str, Any]) -> Fence | None:
    """The fence that the run stands at; None for a run made from files. SourceError where it is none."""
    if "fence" not in manifest["input"]:
        return None
    return Fence.from_json(manifest["input"]["fence"], f"the fence in {file}", AGAIN)


def _check_input(file: Path, manifest: dict[str, Any]) -> None:
    if fence_of(file, manifest) is None and "event_set" not in manifest["input"]:
        raise SourceError(f"{file}: input has neither a fence nor an event_set; {AGAIN}")


def _check_contract(file: Path, manifest: dict[str, Any]) -> None:
    try:
        contract.require_spec(manifest["contract"], manifest["spec"])
    except SpecError as error:
        raise SpecError(f"{file}: {error}; {AGAIN}") from error
    if contract.id_of(manifest["contract"]) != manifest["contract_id"]:
        raise SourceError(f"{file} is damaged: contract_id is not the id of its contract; {AGAIN}")


def _check_digests(file: Path, stage: str, digests: dict[str, Any]) -> None:
    for shard, digest in digests.items():
        if not _SHARD.fullmatch(shard) or not _DIGEST.fullmatch(str(digest)):
            raise SourceError(f"{file}: {shown(shard)}: {shown(digest)} is no digest of {stage}; {AGAIN}")


def _check_paths(file: Path, stage: str, paths: list[str]) -> None:
    """No file twice, and none outside the stage's folder."""
    seen: set[str] = set()
    for path in paths:
        if not INNER_PATH.holds(path) or PurePosixPath(path).parts[:1] != (stage,) or path in seen:
            raise SourceError(
                f"{file} lists {shown(path)} for {stage}: not a file of its own in {stage}/; {AGAIN}"
            )
        seen.add(path)
