"""`python -m bench.examples PAGE`: what `crossfade explain` prints of ten pairs of the demo, into a page."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.report import rewrite
from parity.forge import Rows, edit_rows

PAIRS = (
    ("A crop: words find it, PDQ does not", "astronaut/original.jpg", "astronaut/crop.jpg"),
    ("Another encoding: PDQ finds it at once", "chelsea/original.jpg", "chelsea/recompress.jpg"),
    ("A caption over it", "coffee/original.jpg", "coffee/captioned.jpg"),
    ("In a frame", "camera/original.jpg", "camera/framed.jpg"),
    ("Noise", "brick/original.jpg", "brick/noise.jpg"),
    ("Sheared", "coins/original.jpg", "coins/sheared.jpg"),
    ("Two variants, with the original as their head", "astronaut/blur.jpg", "astronaut/framed.jpg"),
    ("Brightness, of a picture with little in it", "cell/original.jpg", "cell/brightness.jpg"),
    ("Trimmed at its edges", "moon/original.jpg", "moon/trim.jpg"),
    ("An overlay on a page of text", "page/original.jpg", "page/overlay.jpg"),
)
BATCH, STATE = Path("out/demo/batch"), Path("out/demo/state")
DAMAGED = Path("out/demo/damaged")


def main() -> None:
    sections = [_section(title, one, other, BATCH, STATE) for title, one, other in PAIRS]
    _damage(*PAIRS[0][1:])
    title = "And one that differs: the first pair again, of a run that has lost its edge"
    sections.append(_section(title, *PAIRS[0][1:], BATCH, DAMAGED))
    rewrite(Path(sys.argv[1]), "examples", "\n".join(sections))


def _section(title: str, one: str, other: str, a: Path, b: Path) -> str:
    command = ["crossfade", "explain", one, other, "--at", str(a), "--at", str(b)]
    executable = Path(sys.executable).with_name(command[0])
    done = subprocess.run([executable, *command[1:]], check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    lines = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    return f"### {title}\n\n    $ {' '.join(command)}\n\n```text\n{lines}\n```\n"


def _damage(earlier: str, later: str) -> None:
    shutil.rmtree(DAMAGED, ignore_errors=True)
    shutil.copytree(BATCH, DAMAGED)

    def lose(rows: Rows) -> None:
        rows[:] = [row for row in rows if (row["earlier"], row["later"]) != (earlier, later)]

    edit_rows(DAMAGED, "edges", lose)


if __name__ == "__main__":
    main()
