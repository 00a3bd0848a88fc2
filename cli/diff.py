"""`crossfade diff`: compare two runs; say where they first part."""

from pathlib import Path

import click

from parity.diff import diff
from parity.document import to_json
from parity.render import show
from parity.show import console
from shared.durable import write_bytes
from shared.run import open_run


@click.command()
@click.argument("run_a", metavar="RUN")
@click.argument("run_b", metavar="RUN")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the result as JSON; - prints it instead of the tables."
)
@click.option(
    "--verify", is_flag=True, help="Read every byte and row, and hold both runs against their manifests."
)
def command(run_a: str, run_b: str, json_file: str | None, verify: bool) -> int:
    """Compare two runs of any engines over the same records.

    Exit status 0: parity. 1: differences. 2: they cannot be compared, or one is damaged.
    """
    result = diff(open_run(run_a), open_run(run_b), verify)
    if json_file == "-":
        click.echo(to_json(result), nl=False)
    else:
        show(result, console())
        if json_file:
            write_bytes(Path(json_file), to_json(result))
    return 0 if result.parity else 1
