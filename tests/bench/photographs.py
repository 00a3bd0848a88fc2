"""Photographs made by code, for benchmarks of pictures."""

from pathlib import Path

from tests.images import encode, scene


def write_photographs(folder: Path, count: int, width: int = 96, height: int = 72) -> list[str]:
    """`count` different pictures in two folders; their paths below `folder`."""
    names = [f"{'ab'[number % 2]}/{number:03}.png" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(scene(number, width, height)))
    return names
