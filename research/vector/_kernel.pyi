from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

def run(
    settings: NDArray[Any],
    prices: Sequence[NDArray[Any]],
    decisions: Sequence[NDArray[Any]],
    days: Sequence[NDArray[Any]],
    halted: NDArray[Any],
    rates: NDArray[Any] | None,
    trades: NDArray[Any],
    fills: NDArray[Any],
    /,
) -> tuple[int, int, int, tuple[int, int, int, int]]: ...
