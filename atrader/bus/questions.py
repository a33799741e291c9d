"""One definition of a call for both kinds of client: those that block, and those that await.

A question is made by a plain function with the signature and the text that people see. `blocking` and `awaited` make a
method of it; the class only says how a question is asked:

    def series() -> Question[tuple[SeriesInfo, ...]]:
        \"\"\"Return what is stored.\"\"\"
        return Question(ListSeries(), lambda answer, frames: answer.series)

    class Client:
        def ask(self, question: Question[T]) -> T: ...

        series = blocking(series)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from atrader.wire import Request

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A request, and how its answer is read.

    Attributes
    ----------
    request : Request
        What is asked.
    read : callable
        Makes the result of the answer and of the raw frames beside it.
    frames : sequence of buffers
        Sent beside the request.
    timeout_s : float, optional
        How long to wait; the client's own limit when left out.
    is_slow : bool
        The client's limit for work that takes long applies.
    is_large : bool
        The answer is large, and asked for where large answers do not keep small ones waiting.
    """

    request: Request
    read: Callable[[Any, list[memoryview]], T]
    frames: Sequence[Any] = ()
    timeout_s: float | None = None
    is_slow: bool = False
    is_large: bool = False


class Asks(Protocol):
    """A client that blocks."""

    def ask(self, question: Question[T]) -> T:
        """Return the result, or raise what the call raised."""
        ...


class AsksAsync(Protocol):
    """A client that awaits."""

    async def ask(self, question: Question[T]) -> T:
        """Return the result, or raise what the call raised."""
        ...


def blocking(ask: Callable[P, Question[T]]) -> Callable[Concatenate[Asks, P], T]:
    """Make the method of a client that blocks until the answer."""

    @wraps(ask)
    def method(self: Asks, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.ask(ask(*args, **kwargs))

    return method


def awaited(ask: Callable[P, Question[T]]) -> Callable[Concatenate[AsksAsync, P], Coroutine[Any, Any, T]]:
    """Make the method of a client that is awaited."""

    @wraps(ask)
    async def method(self: AsksAsync, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.ask(ask(*args, **kwargs))

    return method
