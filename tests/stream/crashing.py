"""A consumer that kills its own process (SIGKILL) at one step of the commit order. Run by test_crashes.py.

    python -m tests.stream.crashing PLAN.json

The steps are counted over the whole run: `writer.start`, `writer.commit` and `store.write`, each before
and after; the process dies at the one numbered `die_at`. Without it, it ends at the log's end.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.spec import from_dict
from stream.logs.settings import KafkaSettings
from stream.running import Follower, open_consumer


class Steps:
    """Counts the steps, and is where the process dies."""

    def __init__(self, die_at: int | None, log: Path) -> None:
        self.die_at, self.count, self.log = die_at, 0, log

    def around(self, owner: Any, name: str) -> None:
        method: Callable[..., Any] = getattr(owner, name)

        def stepping(*args: Any) -> Any:
            self.reach(f"before {name}")
            result = method(*args)
            self.reach(f"after {name}")
            return result

        setattr(owner, name, stepping)

    def reach(self, step: str) -> None:
        self.log.write_text(step)
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def main(plan: dict[str, Any]) -> None:
    spec, settings = from_dict(plan["spec"]), KafkaSettings(plan["servers"])
    steps = Steps(plan["die_at"], Path(plan["state"] + ".step"))
    where = (spec, plan["topic"], Path(plan["state"]), plan["output"], settings)
    with open_consumer(*where, plan["batch_size"], plan["workers"]) as consumer:
        steps.around(consumer.writer, "start")
        steps.around(consumer.writer, "commit")
        steps.around(consumer.store, "write")
        consumer.recover()
        Follower(consumer).to_end()
    Path(plan["state"] + ".step").write_text(f"end {steps.count}")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
