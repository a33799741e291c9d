from typing import Any

from numpy.typing import NDArray

def to_ticks(prices: NDArray[Any], tick: float, highest: int, out: NDArray[Any], /) -> bool: ...
def levels(
    paid: NDArray[Any],
    away: NDArray[Any],
    multiple: float,
    tick: float,
    highest: int,
    entry: NDArray[Any],
    out: NDArray[Any],
    /,
) -> bool: ...
def is_sane(open: NDArray[Any], high: NDArray[Any], low: NDArray[Any], close: NDArray[Any], /) -> bool: ...
def moving_average(values: NDArray[Any], period: int, out: NDArray[Any], /) -> None: ...
def average_range(
    high: NDArray[Any], low: NDArray[Any], close: NDArray[Any], period: int, out: NDArray[Any], /
) -> None: ...
def crossings(fast: NDArray[Any], slow: NDArray[Any], bars: NDArray[Any], sides: NDArray[Any], /) -> int: ...
def grid_crossings(
    values: NDArray[Any],
    periods: NDArray[Any],
    pairs: NDArray[Any],
    bars: NDArray[Any],
    sides: NDArray[Any],
    counts: NDArray[Any],
    /,
) -> None: ...
def average_crossings(
    values: NDArray[Any], fast: int, slow: int, bars: NDArray[Any], sides: NDArray[Any], /
) -> int: ...
def equity(
    fills: NDArray[Any],
    trades: NDArray[Any],
    bid: NDArray[Any],
    ask: NDArray[Any],
    rates: NDArray[Any] | None,
    scales: tuple[float, float, float, float],
    bars: NDArray[Any] | None,
    out: NDArray[Any],
    /,
) -> tuple[float, float, float]: ...
