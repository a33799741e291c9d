from typing import Any

from numpy import int64
from numpy.typing import NDArray

def roll(
    rows: NDArray[int64], passed: NDArray[int64], first: int, size: int, /, *columns: NDArray[Any]
) -> int | None: ...
