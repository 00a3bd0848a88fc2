"""`crossfade diff`: compare two runs; say where they first part."""

from collections.abc import Sequence
from pathlib import Path

import click

from cli.diff_upgrade import refuse_with_upgrade, run_upgrade
from cli.files import put_out, write_file
from parity.coverage import lake_of
from parity.diff import Options, diff
from parity.document import to_json
from parity.gates import parse_gates
from parity.known import read_rules
from parity.render import show
from parity.show import console
from parity.spread import Spread, one_by_one
from shared.run import Run, open_run


@click.command()
@click.argument("run_a", metavar="RUN")
@click.argument("run_b", metavar="RUN")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the result as JSON; - prints it instead of the tables."
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the result as one HTML file, with plots and the pictures or texts of clusters that differ.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Read every byte and row, and hold each row that differs against its own run.",
)
@click.option(
    "--lake",
    type=click.Path(path_type=Path, file_okay=False),
    help="Hold both runs against the records of this lake  [the lake that the runs' manifests name]; --html "
    "takes pictures and texts from it.",
)
@click.option("--no-lake", is_flag=True, help="Do not look at the lake that the manifests name.")
@click.option(
    "--known",
    "known_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of known differences: each with an owner, a reason, an expiry and a cap.",
)
@click.option(
    "--gate",
    "gates",
    multiple=True,
    metavar="CLASS=LIMIT",
    help="Differences allowed of a class (missing, extra, wrong, late, known, uncovered): a number, or a "
    "share of A's items such as 0.01%  [the gates in A's spec, then 0].",
)
@click.option(
    "--allow-late", is_flag=True, help="Compare runs at two fences of one log; what only one saw is `late`."
)
@click.option(
    "--upgrade",
    is_flag=True,
    help="RUN of an old spec and RUN of a new one over the same events: what is gained and lost, judged by "
    "the features. Gates: event, dropped, features, lost, unjudged, parted  [0; parted: any number].",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Where rows are read: spark spreads them over a cluster whose workers see the runs' paths.",
)
@click.option("--master", help="Spark master URL, with --engine spark  [all cores of this machine].")
def command(
    run_a: str,
    run_b: str,
    json_file: str | None,
    html_file: Path | None,
    verify: bool,
    lake: Path | None,
    no_lake: bool,
    known_file: Path | None,
    gates: tuple[str, ...],
    allow_late: bool,
    upgrade: bool,
    engine: str,
    master: str | None,
) -> int:
    """Compare two runs of any engines over the same records.

    Exit status 0: parity, or differences within the gates. 1: differences. 2: they cannot be compared,
    or one is damaged. With --upgrade 1: the new spec loses what is true by its own rule.
    """
    if upgrade:
        others = {"--known": known_file, "--allow-late": allow_late, "--engine spark": engine == "spark"}
        others |= {} if html_file else {"--lake": lake}  # which has the pictures
        refuse_with_upgrade(others)
    outputs = [Path(file) for file in (json_file, html_file) if file is not None and file != "-"]
    _require_apart(outputs, [Path(run_a), Path(run_b), *([lake] if lake else [])])
    if master and engine != "spark":
        raise click.UsageError("--master is for --engine spark; give both, or neither")
    if lake and no_lake:
        raise click.UsageError("--lake and --no-lake contradict each other; give one of them")
    runs = open_run(run_a), open_run(run_b)
    named, why = _named_lake(runs, no_lake) if lake is None else (lake, "")
    if upgrade:
        return run_upgrade(*runs, named, why, html_file, json_file, verify, gates)
    options = Options(
        verify=verify,
        allow_late=allow_late,
        lake=named,
        why_no_lake=why,
        rules=read_rules(known_file) if known_file else (),
        gates=parse_gates(gates),
        spread=_spark(master) if engine == "spark" else one_by_one,
    )
    result = diff(*runs, options)
    if html_file:
        from parity.report.page import diff_page  # with Pillow and numba, which tables do without

        write_file(html_file, diff_page(*runs, result, named).encode())
    put_out(json_file, lambda: to_json(result), lambda: show(result, console()))
    return 0 if result.passed else 1


def _require_apart(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """A result is no file of what is compared, nor of another result."""
    for file in outputs:
        for folder in inputs:
            if file.resolve().is_relative_to(folder.resolve()):
                raise click.UsageError(f"{file} lies in {folder}, which is read; name another file")
    if len({file.resolve() for file in outputs}) < len(outputs):
        raise click.UsageError(f"--json and --html both name {outputs[0]}; name two files")


def _spark(master: str | None) -> Spread:
    from batch.session import start
    from batch.spread import spread_over

    return spread_over(start(master))


def _named_lake(runs: Sequence[Run], no_lake: bool) -> tuple[Path | None, str]:
    """(the lake that the manifests name, why it is not looked at)."""
    names = sorted({str(run.manifest["input"].get("lake", "")) for run in runs} - {""})
    if not names:
        return None, ""
    if no_lake:
        return None, "--no-lake"
    if found := lake_of(runs):
        return found, ""
    why = f"{names[0]} is not here" if len(names) == 1 else f"the runs name two, {' and '.join(names)}"
    return None, f"{why} (give --lake)"
