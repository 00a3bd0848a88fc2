"""`python -m bench.accuracy [--spec NAME …] [--photos DIR] [--small] [--json FILE] [--write PAGE]`."""

import argparse
import json
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

from bench.accuracy import pictures, plots
from bench.accuracy.engines import open_both, run_both
from bench.accuracy.measure import Result, measure
from bench.accuracy.protocol import SMALL, Protocol, Sizes, choose
from bench.accuracy.tables import tables
from bench.report import WIDTH, machine, markdown, rewrite, text
from shared.errors import CrossfadeError, SourceError
from shared.spec import load

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT.parent / "shared" / "data" / "photos"
PRESETS = ("photos-small", "photos-large")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--spec", action="append", metavar="NAME", help=f"preset or file {list(PRESETS)}")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="another collection of photographs")
    parser.add_argument("--small", action="store_true", help=f"fewer photographs, some minutes: {SMALL}")
    parser.add_argument("--output", type=Path, metavar="DIR", default=ROOT / "out" / "accuracy")
    parser.add_argument("--score-only", action="store_true", help="take the runs of the last time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="rewrite a page's tables and its plots")
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen)
    except CrossfadeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


def _run(chosen: argparse.Namespace) -> int:
    specs = chosen.spec or list(PRESETS)
    for name in specs:
        load(name)  # what is misspelt is said before the work begins
    root = chosen.photos or PHOTOS
    if not root.is_dir():
        raise SourceError(f"{root} is not there; name a folder of photographs with --photos DIR")
    protocol = choose(root, SMALL if chosen.small else Sizes(), held_out=chosen.photos is None)
    print(f"{root}: {len(protocol.database)} in the database, {len(protocol.queries):,} queries", flush=True)
    folder, seconds = pictures.make(protocol, chosen.output)
    print(f"pictures in {folder} ({seconds:,.0f} s)", flush=True)
    files = pictures.paths(protocol, folder)
    runs = chosen.output / f"runs-{len(protocol.items)}"
    if chosen.score_only:
        found = open_both(specs, runs)
    else:
        events = chosen.output / "events.jsonl"
        pictures.write_events(protocol, files, events)
        found = run_both(specs, events, runs)
    result = measure(protocol, found, files, folder)
    _report(result, chosen.json, chosen.write)
    return 0 if all(each.verdict == "parity" for each in found) else 1


def _report(result: Result, as_json: Path | None, page: Path | None) -> None:
    where = _where(result)
    for name, value in where.items():
        print(textwrap.fill(value, WIDTH, initial_indent=f"{name:11}", subsequent_indent=" " * 11))
    print()
    shown = tables(result)
    for table in shown.values():
        print(text(table), flush=True)
    if as_json:
        document = {"where": where, "tables": {name: asdict(table) for name, table in shown.items()}}
        as_json.write_text(json.dumps(document, indent=2) + "\n")
    if page:
        for name, table in shown.items():
            rewrite(page, name, markdown(table))
        rewrite(page, "measured", _measured(where))
        plots.attacks(result, page.with_name(f"{page.stem}-attacks.svg"))
        plots.settings(result.presets, page.with_name(f"{page.stem}-settings.svg"))


def _where(result: Result) -> dict[str, str]:
    """Machine, date, commit, contracts and pictures."""
    state = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    versions = result.presets[0].runs.stream.manifest["versions"]
    contracts = [f"{preset.name} {preset.runs.stream.contract_id}" for preset in result.presets]
    return machine() | {
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": state.stdout.strip() or "unknown",
        "contracts": ", ".join(contracts),
        "pictures": _pictures(result.protocol),
    }


def _pictures(protocol: Protocol) -> str:
    counts = (len(protocol.database), len(protocol.attacked), len(protocol.controls))
    sizes = f"{counts[0]} in the database, {counts[1]} of them and {counts[2]} others attacked"
    return f"{protocol.root.name}: {sizes}"


def _measured(where: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in where.items()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
