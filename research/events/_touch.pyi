from numpy import float64
from numpy.typing import NDArray

def first_touch(
    first: int,
    end: int,
    bid_low: NDArray[float64],
    bid_high: NDArray[float64],
    ask_low: NDArray[float64],
    ask_high: NDArray[float64],
    low_bid: float,
    high_bid: float,
    low_ask: float,
    high_ask: float,
    /,
) -> int: ...
