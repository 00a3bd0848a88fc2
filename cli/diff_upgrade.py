"""`crossfade diff --upgrade`: what a new spec gains and loses against the old one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cli.files import put_out, write_file
from parity.gates import parse_gates
from parity.show import console
from parity.upgrade.document import to_json
from parity.upgrade.gates import GATES
from parity.upgrade.render import show
from parity.upgrade.upgrade import Options, upgrade
from shared.run import Run


def refuse_with_upgrade(others: Mapping[str, object]) -> None:
    """others: the options that go with runs of one contract alone, and their values."""
    if given := [name for name, value in others.items() if value]:
        raise click.UsageError(
            f"{given[0]} is for runs of one contract, and --upgrade compares an old spec with a new one; "
            f"give one of them (with --upgrade, --lake is where --html takes pictures from)"
        )


def run_upgrade(
    run_a: Run,
    run_b: Run,
    lake: Path | None,
    why_no_lake: str,
    html_file: Path | None,
    json_file: str | None,
    verify: bool,
    gates: Sequence[str],
) -> int:
    """The exit status. lake: for the pictures of the page; why_no_lake: where there is none."""
    result = upgrade(run_a, run_b, Options(verify=verify, gates=parse_gates(gates, GATES)))
    if html_file:
        from parity.upgrade.page import upgrade_page  # with Pillow, which tables do without

        write_file(html_file, upgrade_page(run_a, run_b, result, lake, why_no_lake).encode())
    put_out(json_file, lambda: to_json(result), lambda: show(result, console()))
    return 0 if result.passed else 1
