"""What a command is asked to write: files, and JSON in place of tables."""

from collections.abc import Callable
from pathlib import Path

import click

from shared.durable import write_bytes
from shared.errors import NO_ROOM, CrossfadeError


def write_file(path: Path, data: bytes) -> None:
    """Whole or not at all; into a device, a pipe or a link's file as far as it takes it, for these stay what
    they are. CrossfadeError where it cannot be written.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
        else:
            write_bytes(path, data)
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.errno in NO_ROOM:
            raise  # cli/main.py knows what to say
        raise CrossfadeError(
            f"{path} cannot be written ({error.strerror}); name a file in a folder that is there"
        ) from error


def put_out(json_file: str | None, to_json: Callable[[], bytes], show: Callable[[], object]) -> None:
    """`show` prints the tables; "-" prints the JSON instead. A file comes first: whoever pipes the tables
    into `head` gets it too."""
    if json_file == "-":
        click.echo(to_json(), nl=False)
        return
    if json_file:
        write_file(Path(json_file), to_json())
    show()
