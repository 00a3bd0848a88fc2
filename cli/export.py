"""`crossfade export`: write the stream's state at a fence as a run."""

from pathlib import Path

import click

from cli.status import status


@click.command()
@click.option(
    "--state", required=True, type=click.Path(path_type=Path), help="A consumer's state or a snapshot."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the run to write.")
@click.option(
    "--fence", type=click.Path(path_type=Path), help="Refuse unless the state stands at this fence."
)
@click.option("--lake", type=click.Path(path_type=Path), help="The lake that the run claims to cover.")
def command(state: Path, output: Path, fence: Path | None, lake: Path | None) -> None:
    """Write STATE, as it stands now, as a run that `crossfade diff` takes. Its consumer may go on."""
    from shared.fence import read_fence
    from stream.export import export
    from stream.stores import read_store

    store = read_store(state)
    try:
        with status("exporting") as show:
            at = read_fence(fence) if fence else None
            run = export(store, output, at, lake, lambda stage, rows: show(f"{stage}: {rows:,} rows"))
    finally:
        store.close()
    for stage in run.manifest["stages"]:
        click.echo(f"{stage:14} {run.rows(stage):>12,} rows")
    click.echo(f"{output}: run of contract {run.contract_id}, {run.fence.describe() if run.fence else ''}")
