"""How independent parts of a diff's work are done: one after another here, or side by side on a cluster."""

from collections.abc import Callable, Sequence
from typing import Any

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""(function, arguments) -> what the function gives for each, in their order. Raises what it raises.

Function and arguments can be pickled. A cluster's workers must see the runs under the same paths.
"""


def one_by_one(function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    return [function(argument) for argument in arguments]
