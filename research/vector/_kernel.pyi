from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

def run(
    settings: NDArray[Any],
    prices: Sequence[NDArray[Any]],
    days: Sequence[NDArray[Any]],
    halted: NDArray[Any],
    rates: NDArray[Any] | None,
    decisions: Sequence[NDArray[Any]],
    trades: NDArray[Any],
    fills: NDArray[Any],
    extremes: tuple[int, int],
    slips: NDArray[Any] | None,
    /,
) -> tuple[int, int, int, tuple[int, int, int, int]]: ...
def run_days(
    settings: NDArray[Any],
    prices: Sequence[NDArray[Any]],
    days: Sequence[NDArray[Any]],
    halted: NDArray[Any],
    rates: NDArray[Any] | None,
    decisions: Sequence[Sequence[NDArray[Any]]],
    scales: tuple[float, float, float, float],
    ends: NDArray[Any],
    equity: NDArray[Any],
    counts: NDArray[Any],
    /,
) -> None: ...
