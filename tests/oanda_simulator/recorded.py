"""Prices from a file: lines of time, bid and ask, played at their own pace or faster."""

from __future__ import annotations

import asyncio
import csv
import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atrader.clock import parse_time
from tests.oanda_simulator.values import NS_PER_S

if TYPE_CHECKING:
    from tests.oanda_simulator.simulator import OandaSimulator

_LONGEST_PAUSE_S = 2.0  # nights and weekends of a recording are not waited for


class Row(NamedTuple):
    """One recorded price; the time is UTC nanoseconds."""

    time_ns: int
    instrument: str
    bid: str
    ask: str


def rows_of(instrument: str, path: Path) -> Iterator[Row]:
    """Yield the prices of a CSV file with the columns ``timestamp``, ``bid`` and ``ask``.

    Raises ValueError, naming file and line, for a line that is none.
    """
    with path.open(newline="") as file:
        for number, line in enumerate(csv.DictReader(file), 2):
            try:
                yield Row(parse_time(line["timestamp"]), instrument, line["bid"].strip(), line["ask"].strip())
            except (KeyError, ValueError, AttributeError) as error:
                problem = f"no column {error}" if isinstance(error, KeyError) else error
                raise ValueError(f"{path}, line {number}: {problem}") from None


class RecordedPrices:
    """Plays recordings in the order of their times.

    On a virtual clock each price moves the clock to its own time, on that of the host they come now, at the pace of the
    recording.
    """

    def __init__(self, simulator: OandaSimulator, files: dict[str, Path], speed: float = 1.0) -> None:
        self._simulator = simulator
        self._rows = heapq.merge(*(rows_of(name, path) for name, path in files.items()))
        self._speed = speed
        self._time_ns: int | None = None

    async def run(self) -> None:
        """Play until the end of the recordings."""
        while True:
            row = next(self._rows, None)
            if row is None:
                return
            pause_s = (row.time_ns - (self._time_ns or row.time_ns)) / NS_PER_S / self._speed
            if pause_s > 0:
                await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))
            while not self._simulator.prices_move:
                await asyncio.sleep(_LONGEST_PAUSE_S / 10)
            self.play(row)

    def step(self) -> Row | None:
        """Play one price at once; None at the end."""
        row = next(self._rows, None)
        if row is not None:
            self.play(row)
        return row

    def play(self, row: Row) -> None:
        """Quote a recorded price."""
        self._time_ns = row.time_ns
        at = row.time_ns if self._simulator.clock.virtual else None
        self._simulator.quote(row.instrument, row.bid, row.ask, at=at)
