from numpy import float64, int64, uint32
from numpy.typing import NDArray

def cross(
    sums: NDArray[float64],
    squares: NDArray[float64],
    lengths: NDArray[float64],
    masks: NDArray[uint32],
    best: NDArray[int64],
    ranks: NDArray[float64],
    moments: NDArray[float64],
    /,
) -> None: ...
