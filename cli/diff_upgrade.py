"""`crossfade diff --upgrade`: what a new spec gains and loses against the old one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cli.files import write_file
from parity.gates import parse_gates
from parity.show import console
from parity.upgrade.document import to_json
from parity.upgrade.render import show
from parity.upgrade.upgrade import Options, upgrade
from shared.run import open_run


def run_upgrade(
    run_a: str,
    run_b: str,
    json_file: str | None,
    verify: bool,
    gates: Sequence[str],
    others: Mapping[str, object],
) -> int:
    """The exit status. others: the options that go with runs of one contract alone, and their values."""
    if given := [name for name, value in others.items() if value]:
        raise click.UsageError(
            f"{given[0]} is for runs of one contract, and --upgrade compares an old spec with a new one; "
            f"give one of them"
        )
    options = Options(verify=verify, gates=parse_gates(gates))
    result = upgrade(open_run(run_a), open_run(run_b), options)
    if json_file == "-":
        click.echo(to_json(result), nl=False)
        return 0 if result.passed else 1
    if json_file:
        write_file(Path(json_file), to_json(result))
    show(result, console())
    return 0 if result.passed else 1
