"""Values that cost something to make, and that not everybody looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Later(Sequence[T], Generic[T]):
    """A list that is made when somebody first looks into it.

    Parameters
    ----------
    make : callable
        Returns the values; called once at most.
    """

    def __init__(self, make: Callable[[], list[T]]) -> None:
        self._make = make

    @cached_property
    def _values(self) -> list[T]:
        return self._make()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)  # that of a sequence asks for each place, at ten times the price

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        return self._values[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._values == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __reduce__(self) -> Any:
        """Travel to another process as the list."""
        return list, (self._values,)
