import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import orjson
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import cli
from cli.backfill import Shown
from cli.files import write_file
from cli.main import COMMANDS, main
from cli.options import EventTime
from shared.durable import require_new
from shared.errors import CrossfadeError, SourceError
from tests import runs
from tests.runs import head, sample

ROOT = Path(__file__).parent.parent
SPEC = """
name = "mine"
[[channels]]
name = "words"
extractor = "text.shingles"
parameters = { unit = "word", size = 3 }
minhash = { permutations = 128 }
bands = { count = 32, rows = 4 }
draws = { first = 4, near = 4 }
match = { rule = "jaccard", threshold = "0.7" }
"""


def crossfade(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stands in for the command `demo` and raises what it is given."""

    def install(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        module = ModuleType("cli.demo")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cli.demo", module)
        monkeypatch.setattr(cli, "demo", module, raising=False)

    yield install


def test_help_names_every_command_and_the_statuses() -> None:
    shown = crossfade("--help")
    assert shown.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name} " in shown.output and line in shown.output
    for status in ("0    done", "1    done, and there are differences", "2    cannot", "130  interrupted"):
        assert status in shown.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    shown = crossfade(name, "--help")
    assert shown.exit_code == 0 and shown.output.startswith(f"Usage: main {name}")


def test_help_is_quick() -> None:
    command = [sys.executable, "-m", "cli.main", "--help"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.3


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CrossfadeError("the lake x is dry; fill it"), 2, "crossfade: the lake x is dry; fill it\n"),
        (KeyboardInterrupt(), 130, "crossfade: interrupted; "),
        (click.UsageError("no such thing"), 2, "Error: no such thing"),
        (click.ClickException("general"), 2, "Error: general"),
        (click.FileError("x", "gone"), 2, "Could not open file"),
        (RuntimeError("oops"), 70, "crossfade: this is a bug in crossfade"),
    ],
)
def test_errors_become_statuses(broken: Any, error: BaseException, status: int, text: str) -> None:
    broken(error)
    shown = crossfade("demo")
    assert shown.exit_code == status and text in shown.stderr
    assert ("Traceback" in shown.stderr) == (status == 70)
    assert shown.stdout == ""


def test_a_path_that_may_not_be_used_is_named(broken: Any, tmp_path: Path) -> None:
    """And no bug: whoever named it can tell."""
    (tmp_path / "file").touch()
    try:
        (tmp_path / "file" / "x").mkdir()
    except OSError as error:
        broken(error)
    shown = crossfade("demo")
    assert shown.exit_code == 2 and f"{tmp_path}/file/x cannot be used (Not a directory)" in shown.stderr


def test_what_may_be_asked_of_a_new_folder(tmp_path: Path) -> None:
    require_new(tmp_path / "none", "")
    require_new(tmp_path, "")
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="/file is no folder; name another"):
        require_new(tmp_path / "file", "name another")
    with pytest.raises(SourceError, match="is not empty; name another"):
        require_new(tmp_path, "name another")


def test_a_date_without_dashes_is_no_number_of_milliseconds() -> None:
    convert = EventTime().convert
    assert convert("2024-01-01", None, None) == 1_704_067_200_000 == convert("1704067200000", None, None)
    with pytest.raises(click.BadParameter, match="write a date as"):
        convert("20240101", None, None)


class TestWriteFile:
    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        """And so does a device: whoever runs as root would have replaced /dev/null."""
        (tmp_path / "link").symlink_to(tmp_path / "target")
        write_file(tmp_path / "link", b"1")
        assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"1"

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        write_file(tmp_path / "pipe", b"2")
        assert os.read(reader, 9) == b"2" and (tmp_path / "pipe").is_fifo()
        os.close(reader)

    def test_a_full_device_is_said(self) -> None:
        with pytest.raises(OSError, match="No space left"):  # cli/main.py says what to do
            write_file(Path("/dev/full"), b"3")
        assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("arguments", [["nonsense"], ["diff"], ["diff", "--nonsense"], ["spec", "nonsense"]])
def test_usage_errors_are_2(arguments: list[str]) -> None:
    shown = crossfade(*arguments)
    assert shown.exit_code == 2 and "Usage:" in shown.stderr


def test_a_backfill_on_a_terminal_shows_what_it_is_at() -> None:
    screen = io.StringIO()
    shown = Shown(Console(file=screen), ["events", "features"])
    assert str(shown.__rich__()) == "starting Spark 0 s"
    shown.begun("features")
    assert str(shown.__rich__()) == "[2/2] features 0 s"
    shown.tasks = lambda: (1_300, 2_000)
    assert str(shown.__rich__()) == "[2/2] features 0 s, 1,300 of 2,000 tasks"
    shown.tasks = stopped
    assert str(shown.__rich__()) == "[2/2] features 0 s"
    shown.ended("features", {}, 12.34)
    assert screen.getvalue() == "[2/2] features 12.3 s\n"


def stopped() -> tuple[int, int]:
    raise ConnectionError("Spark is being stopped")


def test_an_unknown_name_imports_nothing() -> None:
    assert crossfade("main").exit_code == 2
    assert crossfade("../evil").exit_code == 2


def test_version() -> None:
    shown = crossfade("--version")
    assert shown.exit_code == 0 and shown.output.startswith("crossfade ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_with_130_and_a_sentence(number: signal.Signals) -> None:
    code = (
        "import sys, time, types, click\n"
        "@click.command()\n"
        "def command():\n"
        "    print('ready', flush=True); time.sleep(30)\n"
        "sys.modules['cli.demo'] = types.SimpleNamespace(command=command)\n"
        "from cli.main import main; main(['demo'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130 and "crossfade: interrupted; " in stderr and "Traceback" not in stderr


def test_a_reader_that_goes_away_is_no_difference() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "cli.main", "spec", "show", "text"]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


class TestDiff:
    @pytest.fixture(autouse=True)
    def two_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        other = sample()
        other["clusters"][4] = head("e")
        for name, rows in (("a", sample()), ("b", sample()), ("c", other)):
            runs.write(Path(name), rows)

    def test_statuses(self) -> None:
        assert crossfade("diff", "a", "b").exit_code == 0
        assert crossfade("diff", "a", "c", "--verify").exit_code == 1
        refused = crossfade("diff", "a", "nowhere")
        assert refused.exit_code == 2
        assert refused.stderr == "crossfade: nowhere is not a finished run: it has no manifest.json\n"

    def test_json_to_a_file_comes_beside_the_tables(self) -> None:
        shown = crossfade("diff", "a", "c", "--json", "found.json")
        assert "DIFFERENCES: 1 difference" in shown.output
        assert orjson.loads(Path("found.json").read_bytes())["verdict"] == "differences"

    def test_json_on_the_terminal_comes_alone(self) -> None:
        shown = crossfade("diff", "a", "b", "--json", "-")
        assert shown.exit_code == 0 and orjson.loads(shown.output)["verdict"] == "parity"


class TestSpec:
    @pytest.fixture
    def mine(self, tmp_path: Path) -> Path:
        (tmp_path / "mine.toml").write_text(SPEC)
        return tmp_path / "mine.toml"

    def test_show(self, mine: Path) -> None:
        shown = crossfade("spec", "show", mine)
        assert shown.exit_code == 0
        for text in ("channels[0].match.threshold", "7/10", "0.9998", "off"):
            assert text in shown.output
        found = orjson.loads(crossfade("spec", "show", mine, "--json").output)
        assert len(found["contract_id"]) == 32 and found["contract"]["channels"][0]["bands"] == {
            "count": 32,
            "rows": 4,
        }
        assert found["candidate_probability"]["words"]["0.9"] > 0.99

    def test_check_goes_on_after_an_error(self, mine: Path) -> None:
        shown = crossfade("spec", "check", mine, "nope", "text")
        assert shown.exit_code == 2
        assert [line.split()[0] for line in shown.stdout.splitlines()] == ["ok", "ok"]
        assert shown.stderr.startswith("crossfade: spec 'nope' is neither a preset")
        assert crossfade("spec", "check", "text").exit_code == 0

    def test_diff(self, mine: Path) -> None:
        same = crossfade("spec", "diff", mine, mine)
        assert same.exit_code == 0 and same.output.startswith("Same contract: ")
        mine.with_name("other.toml").write_text(SPEC.replace("rows = 4", "rows = 3"))
        shown = crossfade("spec", "diff", mine, mine.with_name("other.toml"))
        assert shown.exit_code == 1 and "channels[0].bands.rows" in shown.output
        assert crossfade("spec", "diff", mine, "nope").exit_code == 2


class TestDoctor:
    def test_all_is_there(self) -> None:
        shown = crossfade("doctor")
        assert shown.exit_code == 0 and "All that is needed is there." in shown.output

    def test_what_is_missing_and_what_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("CROSSFADE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        monkeypatch.setitem(sys.modules, "pdqhash", None)
        shown = crossfade("doctor", "--json")
        assert shown.exit_code == 2
        checks = {check["name"]: check for check in orjson.loads(shown.output)["checks"]}
        missing = {name for name, check in checks.items() if not check["ok"] and check["needed"]}
        assert missing == {"Java", "pdqhash", "Kafka broker"}
        assert not checks["Maven"]["ok"] and not checks["Maven"]["needed"]
        assert "pip install pdqhash" in checks["pdqhash"]["advice"]
        assert "3 needed things are missing" in crossfade("doctor").output
