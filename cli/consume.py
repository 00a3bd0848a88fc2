"""`crossfade consume`: follow an event log and keep the clusters."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.options import KafkaSettings, kafka_options
from cli.status import status


@click.command()
@click.option("--spec", "spec_name", required=True, help="A preset's name or a TOML file.")
@click.option("--topic", required=True, help="The items topic: a Kafka topic or file:DIR.")
@click.option("--state", required=True, type=click.Path(path_type=Path), help="Folder of the RocksDB state.")
@click.option("--output", default="clusters", show_default=True, help="Topic for the cluster changes.")
@click.option("--until-fence", type=click.Path(path_type=Path), help="Stop at this fence (a file or a lake).")
@click.option("--until-end", is_flag=True, help="Stop at the log's end as it is now.")
@click.option(
    "--snapshot-at", type=click.Path(path_type=Path), help="Copy the state at this fence, then go on."
)
@click.option("--snapshot", type=click.Path(path_type=Path), help="Folder for that copy.")
@click.option("--batch-size", type=click.IntRange(1), help="Most records a micro-batch  [2000; images: 64].")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that extract features; 0 or 1: the consumer itself  [images: one a core; else 1].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@kafka_options
def command(
    spec_name: str,
    topic: str,
    state: Path,
    output: str,
    until_fence: Path | None,
    until_end: bool,
    snapshot_at: Path | None,
    snapshot: Path | None,
    batch_size: int | None,
    workers: int | None,
    as_json: bool,
    settings: KafkaSettings,
) -> None:
    """Follow the items TOPIC, keep the index in STATE and send every change of a cluster to OUTPUT.

    It may be stopped and killed at any time; the next start goes on, and readers of OUTPUT with
    read_committed see each change once.
    """
    from shared.fence import read_fence
    from shared.spec import load
    from shared.uris import check_schemes
    from stream.running import Follower, default_workers, open_consumer

    if until_fence and until_end:
        raise click.UsageError("--until-fence and --until-end exclude each other")
    if bool(snapshot_at) != bool(snapshot):
        raise click.UsageError("--snapshot-at FENCE and --snapshot DIR go together")
    check_schemes()
    spec = load(spec_name)
    started = time.monotonic()
    workers = default_workers(spec) if workers is None else workers
    with (
        status("recovering", quiet=as_json) as show,
        open_consumer(spec, topic, state, output, settings, batch_size, workers) as consumer,
    ):
        recovered = consumer.recover()
        _say(f"{recovered}; stands at {consumer.fence().describe()}")
        follower = Follower(consumer, _reporter(show), _stalled)
        if snapshot_at and snapshot:
            follower.to_fence(read_fence(snapshot_at))
            consumer.store.checkpoint(snapshot)
            _say(f"copied the state at {consumer.fence().describe()} to {snapshot}")
        if until_fence:
            follower.to_fence(read_fence(until_fence))
        elif until_end:
            follower.to_end()
        else:
            follower.for_ever()
        fence, totals = consumer.fence(), follower.totals
    seconds = time.monotonic() - started
    summary = totals | {"recovered": recovered, "fence": fence.to_json(), "seconds": round(seconds, 3)}
    if as_json:
        click.echo(json.dumps(summary))
        return
    for name, value in totals.items():
        click.echo(f"{name.replace('_', ' '):18} {value:>12,}")
    click.echo(f"{'items a second':18} {totals['records'] / seconds:>12,.0f}")
    click.echo(f"stands at {fence.describe()}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # above the line of `status`, where there is one


def _stalled(error: Exception, seconds: float) -> None:
    _say(f"waiting {seconds:.0f} s: {error}")


def _reporter(show: Callable[[str], None]) -> Callable[[dict[str, Any], int], None]:
    return lambda totals, lag: show(
        f"{totals['records']:,} records, {totals['changes']:,} changes, lag {lag:,}"
    )
