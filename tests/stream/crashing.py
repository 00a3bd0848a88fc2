"""Consumers that kill themselves (SIGKILL), each at a later step of the commit order: for test_consumer.py.

    python -m tests.stream.crashing PLAN.json

The steps are counted over a consumer's whole run: `writer.start`, `writer.commit` and `store.write`, each
before and after; the process dies at the one numbered as the plan says. Each is a fork of this process,
which has opened nothing: its imports would take most of the time.
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


def consume(plan: dict[str, Any], die_at: int, log: Path) -> None:
    spec, settings = from_dict(plan["spec"]), KafkaSettings(plan["servers"])
    steps = Steps(die_at, log)
    where = (spec, plan["topic"], Path(plan["state"]), plan["output"], settings)
    with open_consumer(*where, plan["batch_size"], plan["workers"]) as consumer:
        steps.around(consumer.writer, "start")
        steps.around(consumer.writer, "commit")
        steps.around(consumer.store, "write")
        consumer.recover()
        Follower(consumer).to_end()


def main(plan: dict[str, Any]) -> None:
    """Until one consumer reaches the end: a line a step that one died at. Fails as a consumer fails."""
    log = Path(plan["state"] + ".step")
    for die_at in plan["die_at"]:
        if (child := os.fork()) == 0:
            consume(plan, die_at, log)
            sys.exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            sys.exit(status)
        print(log.read_text(), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
