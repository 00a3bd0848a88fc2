"""The commands as users type them, and the path through both engines that every corpus takes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from shared.run import STAGES, Run, open_run
from tests.conftest import Logs

ROOT = Path(__file__).parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"


def needs_data(name: str) -> pytest.MarkDecorator:
    """Skips where the folder of shared data has no such corpus."""
    folder = SHARED_DATA / name
    return pytest.mark.skipif(
        not folder.is_dir(), reason=f"{folder} is not there: data are not in the repository"
    )


def crossfade(*arguments: object) -> Result:
    """Run a command in this process; with the fixture `spark`, a backfill takes that session."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def succeed(*arguments: object) -> Result:
    """Run a command that must end with status 0."""
    result = crossfade(*arguments)
    assert result.exit_code == 0, f"{arguments}\n{result.output}"
    return result


@dataclass(frozen=True)
class BothRuns:
    """What came of one log: `lake`, `state`, the batch's run and the stream's."""

    folder: Path
    batch: Run
    stream: Run

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def state(self) -> Path:
        return self.folder / "state"


def through_both(logs: Logs, spec: object, source: Path) -> BothRuns:
    """publish, archive, backfill, consume, export. Needs the fixture `spark`."""
    topic, output, folder = logs.address("items"), logs.address("clusters"), logs.folder
    servers = ("--bootstrap-servers", logs.settings.bootstrap_servers) if logs.kind == "kafka" else ()
    lake, state, batch, stream = (folder / name for name in ("lake", "state", "batch", "stream"))
    succeed("publish", source, "--topic", topic, *servers)
    succeed("archive", "--topic", topic, "--lake", lake, *servers)
    succeed("backfill", "--spec", spec, "--input", lake, "--output", batch)
    follow = ("--state", state, "--output", output, "--until-fence", lake)
    succeed("consume", "--spec", spec, "--topic", topic, *follow, *servers)
    succeed("export", "--state", state, "--output", stream, "--fence", lake, "--lake", lake)
    return BothRuns(folder, open_run(batch), open_run(stream))


def assert_parity(runs: BothRuns) -> None:
    """diff says parity, having read every byte; and every digest of every shard is the same."""
    result = succeed("diff", runs.batch.path, runs.stream.path, "--verify", "--json", "-")
    assert json.loads(result.output)["verdict"] == "parity"
    assert (runs.batch.manifest["engine"], runs.stream.manifest["engine"]) == ("spark", "stream")
    for stage in STAGES:
        assert runs.batch.digests(stage) == runs.stream.digests(stage)
    batch, stream = (run.manifest["counts"] for run in (runs.batch, runs.stream))
    for count in ("records", "events", "dead_letters", "statuses", "left_out", "hot_buckets"):
        assert batch[count] == stream[count], count


def evaluate(run: Run, truth: Path) -> dict[str, Any]:
    """What `crossfade evaluate --json` says."""
    found: dict[str, Any] = json.loads(succeed("evaluate", run.path, "--truth", truth, "--json").output)
    return found
