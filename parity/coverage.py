"""Is a run what the lake's records say? Two runs that miss the same event are equal, and both wrong."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.fields import FieldDifference
from parity.files import read_checked
from parity.lake_records import check_lake_files
from parity.lake_winners import LakeWinners, Progress, lake_winners
from parity.uncovered import Found, Uncovered, compare
from shared.errors import SourceError
from shared.fence import Fence
from shared.lake import Lake, require_lake
from shared.run import ITEMS, Run
from shared.spec import Times

LISTED = 1000


@dataclass(frozen=True)
class Coverage:
    """One run held against one lake up to the run's fence.

    records, events: in the lake before the fence. ids: the rows that items should have. missing, extra and
    wrong count ids, of which `uncovered` has the first. dead_letters: the reasons whose counts differ; a =
    the lake, b = the run's manifest. gaps: offsets before the fence that no file of the lake spans: there
    were only transaction markers, or the log had dropped the records before the lake could have them. What
    a run read of such records shows as extra.
    """

    lake: str
    run: str
    records: int
    events: int
    ids: int
    missing: int
    extra: int
    wrong: int
    dead_letters: tuple[FieldDifference, ...]
    uncovered: tuple[Uncovered, ...]
    gaps: int = 0

    @property
    def whole(self) -> bool:
        """Whether the run is what the lake says. Statuses and what follows from them are not looked at."""
        return not self.total

    @property
    def total(self) -> int:
        """Ids, and dead letter reasons, that are not as the lake says."""
        return self.missing + self.extra + self.wrong + len(self.dead_letters)


def lake_of(runs: Sequence[Run]) -> Path | None:
    """The lake that the runs' manifests name, if it is one and its folder is there.

    None: none is named, they name several, or the folder is gone. Then the caller should print that the
    runs were not held against a lake, so that an event which all of them miss would not show, and that --lake
    names one.
    """
    named = {str(lake) for run in runs if (lake := run.manifest["input"].get("lake"))}
    folders = {Path(lake).resolve() for lake in named}
    return folders.pop() if len(folders) == 1 and all(folder.is_dir() for folder in folders) else None


def cover(
    runs: Sequence[Run],
    lake_path: Path,
    listed: int = LISTED,
    progress: Progress = lambda done, total: None,
) -> tuple[Coverage, ...]:
    """Hold each run against the lake, in the runs' order. `listed`: how many ids of a run are listed, by id.

    The lake is read once for all runs of one fence (and one contract's times); progress starts again with
    each. Memory: what `lake_winners` says, the rows of items of as many shards, and the ids that are listed.
    Raises SourceError: this is no lake, or of another log than a run, or it ends before a run's fence; a run
    has no fence; a file of the lake or the run is not what its manifest says.
    """
    lake = require_lake(lake_path)
    places: dict[tuple[Fence, Times], list[int]] = defaultdict(list)
    for place, run in enumerate(runs):
        fence = _require_reached(run, lake, lake_path)
        places[fence, Times(**run.manifest["contract"]["times"])].append(place)
    for fence, _ in places:
        check_lake_files(lake_path, lake, fence)
    found: dict[int, Coverage] = {}
    for (fence, times), own in places.items():
        with lake_winners(lake_path, lake, fence, times, progress) as winners:
            found |= zip(own, _cover([runs[place] for place in own], lake_path, winners, listed), strict=True)
    return tuple(found[place] for place in range(len(runs)))


def _require_reached(run: Run, lake: Lake, lake_path: Path) -> Fence:
    """The run's fence. Raises SourceError unless the lake is of its log and goes that far."""
    fence = run.fence
    if fence is None:
        raise SourceError(
            f"{run.path} was made from files without offsets, so no lake can say what is in it; make it from "
            f"the lake {lake_path}, or compare it without a lake"
        )
    if (fence.cluster, fence.topic) != (lake.fence.cluster, lake.fence.topic):
        raise SourceError(
            f"the lake {lake_path} is of another log than {run.path}, {lake.fence.describe()} against "
            f"{fence.describe()}; name the lake that was archived from the run's topic"
        )
    reached = lake.fence.positions()
    behind = [
        f"partition {partition} ends at {reached.get(partition, 0)} and not at {offset}"
        for partition, offset in fence.offsets
        if reached.get(partition, 0) < offset
    ]
    if behind:
        raise SourceError(
            f"the lake {lake_path} ends before the fence of {run.path} ({', '.join(behind)}); archive the "
            f"topic first, then compare again"
        )
    return fence


def _cover(runs: Sequence[Run], lake_path: Path, lake: LakeWinners, listed: int) -> list[Coverage]:
    ids = 0
    found = [Found() for _ in runs]
    for shards, winners in lake.groups():
        ids += winners.num_rows
        for place, run in enumerate(runs):
            items = read_checked(run, ITEMS, shards)
            found[place] = found[place].plus(compare(winners, items, listed), listed)
    return [
        Coverage(
            lake=str(lake_path),
            run=str(run.path),
            records=lake.records,
            events=lake.events,
            ids=ids,
            missing=mine.missing,
            extra=mine.extra,
            wrong=mine.wrong,
            dead_letters=_dead_letters(lake, run),
            uncovered=mine.first,
            gaps=lake.gaps,
        )
        for run, mine in zip(runs, found, strict=True)
    ]


def _dead_letters(lake: LakeWinners, run: Run) -> tuple[FieldDifference, ...]:
    said, had = lake.dead_letters, run.manifest["counts"]["dead_letters"]
    counts = (
        (reason, said.get(reason, 0), had.get(reason, 0)) for reason in sorted(said.keys() | had.keys())
    )
    return tuple(FieldDifference(*count) for count in counts if count[1] != count[2])
