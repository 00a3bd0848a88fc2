"""Attacked pictures that several tests share."""

from pathlib import Path

import pytest

from bench.accuracy import pictures
from bench.accuracy.protocol import Protocol, Sizes, choose
from tests.bench.photographs import write_photographs

Given = tuple[Protocol, list[Path], Path]  # and the files of its items, and their folder


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """12 photographs, 290 queries, and events.jsonl two folders above the pictures'."""
    folder = tmp_path_factory.mktemp("given")
    write_photographs(folder / "photographs", 16)
    protocol = choose(folder / "photographs", Sizes(12, 3, 2), held_out=False)
    cache, _ = pictures.make(protocol, folder / "cache")
    files = pictures.paths(protocol, cache)
    pictures.write_events(protocol, files, folder / "events.jsonl")
    return protocol, files, cache
