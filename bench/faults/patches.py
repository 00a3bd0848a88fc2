"""How a function of the stream's path is made to say something else, while a context is open."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

from parity.faults import Fault

Patch = AbstractContextManager[Any]
Around = Callable[..., Any]  # (the original, its arguments) -> what the faulty one gives


def around(owner: Any, name: str, faulty: Around) -> Callable[[], Patch]:
    """Patch owner.name by `faulty`, which gets the original first."""
    return lambda: mock.patch.object(owner, name, partial(faulty, getattr(owner, name)))


def method(owner: type, name: str, faulty: Around) -> Callable[[], Patch]:
    original = getattr(owner, name)

    def method(self: Any, *arguments: Any) -> Any:
        return faulty(partial(original, self), self, *arguments)

    return lambda: mock.patch.object(owner, name, method)


def several(*patches: Callable[[], Patch]) -> Callable[[], Patch]:
    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch())
            yield

    return all_of_them


def code(name: str, stage: str, kind: str, patch: Callable[[], Patch], roots: int | None = None) -> Fault:
    return Fault(name, "code", stage, kind, patch, roots=roots)


def constant(owner: Any, name: str, value: Any) -> Callable[[], Patch]:
    return lambda: mock.patch.object(owner, name, value)
