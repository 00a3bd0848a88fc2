"""`python -m bench [NAME …] [--json FILE] [--write PAGE]`: measure, print, and bring a page up to date."""

import argparse
import importlib
import json
import textwrap
from dataclasses import asdict
from pathlib import Path

from bench.report import WIDTH, Skipped, machine, markdown, rewrite, text

NAMES = ("signatures", "consumer", "backfill", "images")
LONG = ("growth", "diff")  # half an hour, ten minutes: by name only


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks of crossfade.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"some of {', '.join(NAMES)} [all of these], {', '.join(LONG)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="rewrite the tables of a Markdown page")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - {*NAMES, *LONG}:
        there = ", ".join((*NAMES, *LONG))
        parser.error(f"{', '.join(sorted(unknown))}: no such benchmark; there are {there}")
    where = machine()
    for name, value in where.items():
        print(textwrap.fill(value, WIDTH, initial_indent=f"{name:11}", subsequent_indent=" " * 11))
    print()
    found = {}
    for name in chosen.names or NAMES:
        try:
            table = importlib.import_module(f"bench.{name}").run()
        except Skipped as why:
            print(f"{name} is skipped: {why}\n", flush=True)
            continue
        print(text(table), flush=True)
        found[name] = table
        if chosen.write:
            where = machine()
            measured = (
                f"Measured {where['date']} on {where['processor']}; {where['system']}; load {where['load']}."
            )
            rewrite(chosen.write, name, f"{markdown(table)}\n{measured} {where['versions']}.\n")
    if chosen.json:
        document = {"machine": where, "benchmarks": {name: asdict(table) for name, table in found.items()}}
        chosen.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
