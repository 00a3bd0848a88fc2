"""`crossfade`: finds the command, and is the only place that turns an error into an exit status."""

import contextlib
import functools
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import metadata
from typing import Any

import click

from shared.errors import NO_ROOM, UNUSABLE, CrossfadeError

# Help lines stand here, so that `crossfade --help` imports no command: the command `x` is the
# attribute `command` of the module `cli.x` (a hyphen: an underscore there).
COMMANDS = {
    "demo": "The whole story on sample photographs, with real parts.",
    "doctor": "What is installed, what is missing, what to do.",
    "spec": "Show, check and compare specs: the contract and its id.",
    "publish": "Put images, JSONL or Parquet into an event log.",
    "archive": "Copy an event log into a lake, up to a fence.",
    "backfill": "Batch: a lake or files in, a run out (Spark).",
    "consume": "Stream: follow an event log and keep the clusters (RocksDB).",
    "export": "Write the stream's state at a fence as a run.",
    "diff": "Compare two runs: where do they first part?",
    "explain": "Two ids, or one, stage by stage: where do two sides part?",
    "replay": "Both engines on a bundle that `explain` wrote.",
    "aa": "Each engine against itself: the noise floor, zero.",
    "evaluate": "Precision, recall and F1 against labelled pairs.",
    "inspect": "What is in a run, a lake or a state.",
    "train-codebook": "Visual words from a folder of photographs of your own.",
    "broker": "A local Apache Kafka, for trying and for tests.",
}
EPILOG = """\b
Exit statuses:
  0    done; or the runs are equal
  1    done, and there are differences
  2    cannot do it: bad input, spec, contract, environment or usage
  70   a bug in crossfade
  130  interrupted
  141  whoever read the output went away
"""
BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141


class Commands(click.Group):
    """The commands of COMMANDS, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return (args[0] if command else name), command, rest  # not "command", the functions' name

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and exit. A command that returns an int gives its exit status."""
        call: Any = super().main
        run = functools.partial(call, *args, standalone_mode=False, **extra)
        return sys.exit(_status(run)) if standalone_mode else run()

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1, which means differences
            sys.exit(_hang_up())


def _status(call: Callable[[], Any]) -> int:
    with contextlib.suppress(
        ValueError
    ):  # not the main thread (a test): whoever owns that one handles signals
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        result = call()
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except CrossfadeError as error:
        sentence = " ".join(map(str.strip, str(error).splitlines()))  # what it quotes may have several lines
        click.echo(f"crossfade: {sentence}", err=True)
        return error.exit_status
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "crossfade: interrupted; what was finished is kept, so the command can be run again", err=True
        )
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        return _hang_up()
    except OSError as error:
        if error.errno in NO_ROOM:
            sentence = f"{error}; make room and run it again: what was finished is kept"
        elif error.errno in UNUSABLE and error.filename is not None:
            path = os.fsdecode(error.filename)
            sentence = f"{path} cannot be used ({error.strerror}); name another, or make it usable"
        else:
            return _bug()
        click.echo(f"crossfade: {sentence}", err=True)
        return CrossfadeError.exit_status
    except Exception:
        return _bug()


def _bug() -> int:
    traceback.print_exc()
    click.echo("crossfade: this is a bug in crossfade; please report it with the lines above", err=True)
    return BUG


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _hang_up() -> int:
    os.dup2(
        os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
    )  # so that Python's last flush fails silently
    return BROKEN_PIPE


def _show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        try:
            version = metadata.version("crossfade")
        except metadata.PackageNotFoundError:
            version = "from a checkout, not installed"
        click.echo(f"crossfade {version}")
        ctx.exit()


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show it."
)
def main() -> None:
    """Near-duplicate detection that moves from a nightly batch to a stream, and proves that both agree."""


if __name__ == "__main__":
    main(prog_name="crossfade")
