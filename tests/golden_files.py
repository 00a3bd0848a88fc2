"""Compare with a committed golden file. One that is missing fails: nothing is written behind your back."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def check(name: str, found: str) -> None:
    """CROSSFADE_GOLDEN=write writes the file instead; look at the difference before you commit it."""
    path = GOLDEN / name
    if os.environ.get("CROSSFADE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, "utf-8")
    assert path.exists(), f"{path} is missing; run with CROSSFADE_GOLDEN=write to make it"
    assert found == path.read_text("utf-8")
