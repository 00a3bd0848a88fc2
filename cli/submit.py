"""`crossfade` for spark-submit, which wants a file: spark-submit [options] cli/submit.py backfill ..."""

import os
import sys

if __name__ == "__main__":
    # Python put this folder first, where inspect.py would hide the standard library's.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from cli.main import main

    main(prog_name="crossfade")
