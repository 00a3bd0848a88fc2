"""What a long command is at, in one line of the terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


@contextmanager
def status(text: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A line on standard error, and how to change it; gone at the end. No line where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True).status(Text(text), refresh_per_second=4) as line:
        yield lambda text: line.update(Text(text))
