"""Files that a command is asked to write."""

from pathlib import Path

from shared.durable import write_bytes
from shared.errors import CrossfadeError


def write_file(path: Path, data: bytes) -> None:
    """CrossfadeError where it cannot be written."""
    try:
        write_bytes(path, data)
    except OSError as error:
        raise CrossfadeError(
            f"{path} cannot be written ({error.strerror}); name a file in a folder that is there"
        ) from error
