"""Work spread over Spark's workers: for whoever has a function and independent arguments."""

from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import SparkSession

from shared import errors
from shared.errors import CrossfadeError


def spread_over(session: SparkSession) -> Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]:
    """`spread(function, arguments)`: the function's answers in order, each from a task of its own.

    A CrossfadeError that a task raises is raised here as itself; arguments and answers are pickled.
    """

    def spread(function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        if not arguments:
            return []
        tasks = session.sparkContext.parallelize(arguments, len(arguments))
        answers = tasks.map(lambda argument: _answer(function, argument)).collect()
        for _, failure in answers:
            if failure:
                kind, message = failure
                raise getattr(errors, kind, CrossfadeError)(message)
        return [answer for answer, _ in answers]

    return spread


def _answer(function: Callable[[Any], Any], argument: Any) -> tuple[Any, tuple[str, str] | None]:
    """(the answer, None) or (None, the kind and sentence of the error)."""
    try:
        return function(argument), None
    except CrossfadeError as error:
        return None, (type(error).__name__, str(error))
