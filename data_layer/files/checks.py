"""Judges rows that are numbers: prices that can be, one row for each time, in the order of time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from atrader.clock import iso_from_ns
from atrader.market import Bars, Quotes
from data_layer.files.layout import ASK_PRICES, BID_PRICES, QUOTE_PRICES
from data_layer.files.rows import BadRow, Kind, Numbers, Reason
from data_layer.files.zones import MISSING, LocalClock

Mask = NDArray[np.bool_]
Why = Callable[[int], str]


class Judge:
    """Keeps the rows of one file that are good and says of every other one why not.

    Parameters
    ----------
    file : str
        For errors.
    bad : list of BadRow
        Where bad rows are added.
    """

    def __init__(self, file: str, bad: list[BadRow]) -> None:
        self._file = file
        self._bad = bad

    def to_utc(self, rows: Numbers, clock: LocalClock | None, *, in_order: bool, kind: Kind) -> Numbers:
        """Turn local times into UTC; those that are no moment are bad rows."""
        local = ~rows.is_utc
        if not local.any():
            return rows
        if clock is None:
            text = "the time has no zone; say which one it is with --zone, e.g. --zone UTC"
            self._refuse(rows, local, "time", lambda index: text)
            return rows.take(~local)
        utc_ns, trouble = clock.utc(rows.time_ns[local], in_order=in_order, may_repeat=kind == "quotes")
        time_ns, problem = rows.time_ns.copy(), np.zeros(len(rows), np.int8)
        time_ns[local], problem[local] = utc_ns, trouble

        def why(index: int) -> str:
            what = "does not exist" if problem[index] == MISSING else "exists twice, it is ambiguous"
            shown = iso_from_ns(int(rows.time_ns[index])).rstrip("Z")
            return f"time {shown} {what} in {clock.zone} (clock change)"

        self._refuse(rows, problem != 0, "clock change", why)
        good = problem == 0
        return Numbers(rows.line[good], time_ns[good], rows.is_utc[good], rows.take(good).values)

    def carried(self, rows: Numbers) -> Numbers:
        """Fill prices that did not change from the rows before."""
        values = dict(rows.values)
        unknown = np.zeros(len(rows), np.bool_)
        for name in QUOTE_PRICES:
            column = rows.values[name].astype(np.float64, copy=False)
            known = np.where(np.isnan(column), -1, np.arange(len(column)))
            last = np.maximum.accumulate(known) if len(known) else known
            values[name] = column[np.maximum(last, 0)]
            unknown |= last < 0
        self._refuse(
            rows, unknown, "price", lambda index: "no bid and ask so far: the file begins with a part of a quote"
        )
        return Numbers(rows.line, rows.time_ns, rows.is_utc, values).take(~unknown)

    def bars(self, rows: Numbers) -> Bars:
        """Return the bars; without ask prices the bid stands for both, without a volume it is 0."""
        rows = self._with_prices(rows, [name for name in (*BID_PRICES, *ASK_PRICES) if name in rows.values])
        for side in (BID_PRICES, ASK_PRICES):
            if side[0] in rows.values:
                rows = self._enclosed(rows, side)
        if "volume" in rows.values:
            volume = rows.values["volume"]
            wrong = ~(np.isfinite(volume) & (volume >= 0))  # type: ignore[operator]
            self._refuse(rows, wrong, "number", lambda index: f"volume {volume[index]!s} is no amount")
            rows = rows.take(~wrong)
        rows = self._one_each(rows)
        bid = [rows.values[name] for name in BID_PRICES]
        ask = [rows.values[name] for name in ASK_PRICES] if ASK_PRICES[0] in rows.values else bid
        volume = rows.values.get("volume", np.zeros(len(rows), np.float64))
        return Bars(rows.time_ns, *bid, *ask, volume)

    def with_asks(self, rows: Numbers, point: Decimal) -> Numbers:
        """Return bars whose ask prices are the bid prices and the bar's spread, which is counted in points."""
        spread = rows.values["spread"].astype(np.float64, copy=False)
        wrong = ~(np.isfinite(spread) & (spread >= 0))
        self._refuse(rows, wrong, "price", lambda index: f"spread {spread[index]!s} is no spread")
        digits = max(0, -int(point.as_tuple().exponent))
        asks: dict[str, NDArray[np.generic]] = {}
        for ask, bid in zip(ASK_PRICES, BID_PRICES, strict=True):
            asks[ask] = np.round(rows.values[bid].astype(np.float64, copy=False) + spread * float(point), digits)
        bids = {name: column for name, column in rows.values.items() if name != "spread"}
        return Numbers(rows.line, rows.time_ns, rows.is_utc, {**bids, **asks}).take(~wrong)

    def quotes(self, rows: Numbers) -> Quotes:
        """Return the quotes; times may repeat."""
        rows = self._with_prices(rows, list(QUOTE_PRICES))
        bid, ask = (rows.values[name] for name in QUOTE_PRICES)
        crossed = bid > ask  # type: ignore[operator]
        self._refuse(rows, crossed, "crossed quote", lambda index: f"bid {bid[index]!s} is above ask {ask[index]!s}")
        rows = rows.take(~crossed)
        if not (rows.time_ns[1:] >= rows.time_ns[:-1]).all():
            rows = rows.take(np.argsort(rows.time_ns, kind="stable"))
        received = rows.values.get("received", rows.time_ns)
        columns = (rows.time_ns, received, rows.values["bid"], rows.values["ask"])
        return Quotes(*(np.ascontiguousarray(column) for column in columns))

    def _with_prices(self, rows: Numbers, names: list[str]) -> Numbers:
        for name in names:
            column = rows.values[name]
            wrong = ~(np.isfinite(column) & (column > 0))  # type: ignore[operator]
            if wrong.any():
                self._refuse(rows, wrong, "price", _no_price(name, column))
                rows = rows.take(~wrong)
        return rows

    def _enclosed(self, rows: Numbers, side: tuple[str, ...]) -> Numbers:
        open_, high, low, close = (rows.values[name] for name in side)
        wrong = (high < np.maximum(open_, close)) | (low > np.minimum(open_, close))

        def why(index: int) -> str:
            shown = ", ".join(f"{name} {rows.values[name][index]!s}" for name in side)
            return f"{shown} is no bar: high and low do not enclose it"

        self._refuse(rows, wrong, "no bar", why)
        return rows.take(~wrong) if wrong.any() else rows

    def _one_each(self, rows: Numbers) -> Numbers:
        """Sort by time; of rows with one time the last of the file stays."""
        if (rows.time_ns[1:] > rows.time_ns[:-1]).all():
            return rows
        rows = rows.take(np.argsort(rows.time_ns, kind="stable"))
        again = rows.time_ns[1:] == rows.time_ns[:-1]
        same = again.copy()
        for column in rows.values.values():
            same &= column[1:] == column[:-1]
        # An exact repetition drops the later row, as it says nothing new; else the earlier row gives way.
        newest = np.append(~again, True)
        line_of = rows.line[np.flatnonzero(newest)[np.cumsum(np.append(0, ~again))]]
        earlier = np.append(again, False)
        repeated = np.append(same, False)

        def why(index: int) -> str:
            shown = iso_from_ns(int(rows.time_ns[index]))
            if repeated[index]:
                return f"the bar of {shown} stands again, alike, in line {rows.line[index + 1]}"
            return f"the bar of {shown} stands again, with other values, in line {line_of[index]}, which was taken"

        self._refuse(rows, earlier & repeated, "repeated", why)
        self._refuse(rows, earlier & ~repeated, "superseded", why)
        return rows.take(newest)

    def _refuse(self, rows: Numbers, wrong: Mask, kind: Reason, why: Why) -> None:
        for index in np.flatnonzero(wrong):
            self._bad.append(BadRow(self._file, int(rows.line[index]), why(int(index)), kind))


def _no_price(name: str, column: NDArray[np.generic]) -> Why:
    return lambda index: f"{name} {column[index]!s} is no positive number"


def step_ns(bars: Bars) -> int | None:
    """Return the distance of open times that most neighbours have; None when there is none."""
    if len(bars) < 2:
        return None
    steps, counts = np.unique(np.diff(bars.open_time_ns), return_counts=True)
    most = int(np.argmax(counts))
    return int(steps[most]) if 2 * counts[most] > counts.sum() else None
