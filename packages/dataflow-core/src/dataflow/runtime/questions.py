"""What is asked of databases themselves, by callers who await and by callers who wait."""

from collections.abc import Callable, Collection, Coroutine, Generator
from typing import Any, Generic, TypeVar

from dataflow.execution.background import run_in_background
from dataflow.execution.database import Database
from dataflow.execution.stepping import step

__all__ = ["Question"]

T = TypeVar("T")


class Question(Generic[T]):
    """A question: await it, or hand it to ``db.run_sync``.

    :param ask: asks it, told whether it may block its thread.
    :param databases: those that it is about.
    """

    __slots__ = ("_ask", "_databases")

    def __init__(
        self, ask: Callable[[bool], Coroutine[Any, Any, T]], databases: Collection[Database]
    ) -> None:
        self._ask = ask
        self._databases = databases

    def __await__(self) -> Generator[Any, None, T]:
        return self._ask(False).__await__()

    def run(self) -> T:
        """Ask it from a thread that may block."""
        if all(database.in_process for database in self._databases):
            return step(self._ask(True))
        return run_in_background(self._ask(False))
