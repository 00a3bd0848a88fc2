"""A folder that one program makes anew each time, with a broker of its own in it."""

import shutil
from pathlib import Path

from shared.errors import SourceError
from stream import broker


def make_anew(folder: Path, marker: str, maker: str) -> None:
    """Make `folder` empty, and stop the broker that an earlier run may have left in `folder`/broker.

    marker: the name of the file that says whose folder it is. SourceError where there is anything else.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / marker).exists():
            raise SourceError(f"{folder} is not empty and was not made by {maker}; name another --output")
        broker.stop(folder / "broker")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / marker).touch()
