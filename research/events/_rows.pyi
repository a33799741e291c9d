from collections.abc import Callable
from typing import Any

from numpy import float64, generic
from numpy.typing import NDArray

class Rows:
    @property
    def row(self) -> int: ...
    def __new__(
        cls,
        kind: type[tuple[Any, ...]],
        columns: tuple[NDArray[generic], ...],
        values: tuple[NDArray[float64], ...],
        row: int,
        /,
    ) -> Rows: ...
    def run(self, call: Callable[..., None], count: int, stop: list[Any], /) -> None: ...
    def skip(self, count: int, /) -> None: ...
