"""Files that a command is asked to write."""

from pathlib import Path

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
