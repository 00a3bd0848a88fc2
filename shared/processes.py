"""What worker processes owe the process that started them: they leave Ctrl-C to it and end with it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Around the start of worker processes. Ctrl-C goes to all processes of a terminal.

    Those started here leave it to this one, from the first moment on: they inherit that it is blocked. Here
    it is only late. To block it is not enough for that: the system then gives it to another thread of this
    process, and Python raises KeyboardInterrupt in the middle of what a new process is being told.
    """
    late: list[tuple[int, FrameType | None]] = []
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    here = threading.current_thread() is threading.main_thread()  # the only one that Python interrupts
    handler = signal.getsignal(signal.SIGINT)
    if here:
        signal.signal(signal.SIGINT, lambda number, frame: late.append((number, frame)))
    try:
        yield
    finally:
        if here:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if late and callable(handler):
            handler(*late[0])


def end_with_parent() -> None:
    """In a worker, at its start. A killed parent closes nothing, and its workers would wait for ever."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
