"""Work spread over Spark's workers: for whoever has a function and independent arguments."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from batch.tasks import collect, failures_named


def spread_over(session: SparkSession) -> Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]:
    """`spread(function, arguments)`: the function's answers in order, each from a task of its own.

    A CrossfadeError that a task raises is raised here as itself; arguments and answers are pickled.
    """

    def spread(function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        if not arguments:
            return []
        tasks = session.sparkContext.parallelize(arguments, len(arguments))
        return collect(tasks.map(partial(_answer, function)))

    return spread


def _answer(function: Callable[[Any], Any], argument: Any) -> Any:
    with failures_named():
        return function(argument)
