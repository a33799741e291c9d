"""Bars and quotes that are no market are refused before anything is made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar, Period
from atrader.clock import iso_from_ns
from atrader.errors import ConfigError
from atrader.market import BAR_COLUMNS, Bars, Quotes
from atrader.timeframes import Timeframe

_REMEDY = "see 'atrader data check' and import the period again"


def long_gaps(
    times_ns: NDArray[np.int64], timeframe: Timeframe, calendar: Calendar, period: Period, most_ns: int
) -> list[Period]:
    """Return where more than some market time in a row has no bars. A quiet market has short gaps, lost data long ones.

    Parameters
    ----------
    times_ns : ndarray of int64, shape (n,)
        Open times in the period, rising.
    timeframe : Timeframe
        Of the bars, a fixed one.
    period : Period
        That is looked at; what is missing at either end counts.
    most_ns : int
        So much market time may be without bars; hours at which the market is closed do not count.
    """
    if not len(times_ns):
        pauses = [period]
    else:
        late = np.flatnonzero(np.diff(times_ns) > most_ns + timeframe.ns)
        pauses = [Period(period.start_ns, int(times_ns[0]))]
        pauses += [Period(int(times_ns[row]) + timeframe.ns, int(times_ns[row + 1])) for row in late.tolist()]
        pauses.append(Period(int(times_ns[-1]) + timeframe.ns, period.end_ns))
    found = []
    for pause in pauses:
        if pause.end_ns - pause.start_ns <= most_ns:
            continue
        expected = calendar.expected_bars(pause.start_ns, pause.end_ns, timeframe)
        if len(expected) * timeframe.ns > most_ns:
            found.append(Period(int(expected[0]), int(expected[-1]) + timeframe.ns))
    return found


def check_bars(bars: Bars, what: str) -> None:
    """Refuse bars that are not in order, or whose prices are none.

    Raises
    ------
    ConfigError
        When open times do not rise, a price is NaN, infinite, zero or negative, a volume NaN, infinite or negative, or
        open or close lie outside of high and low; names the first such bar.
    """
    if not len(bars):
        return
    _check_times(bars.open_time_ns, what)
    names = BAR_COLUMNS[1:]
    if bars.has_one_price():
        names = tuple(name for name in names if not name.startswith("ask_"))
    for name in names:
        column: NDArray[np.float64] = getattr(bars, name)
        least = column.min()  # NaN if any is; whole columns first, since nearly all are good
        if not (least > 0 or (least == 0 and name == "volume")) or column.max() == np.inf:
            good = np.isfinite(column) & ((column >= 0) if name == "volume" else (column > 0))
            row = int(good.argmin())
            raise _refusal(what, f"the {name} at {iso_from_ns(int(bars.open_time_ns[row]))} is {column[row]}")
    inside = (bars.high >= bars.open) & (bars.high >= bars.close) & (bars.low <= bars.open) & (bars.low <= bars.close)
    if not inside.all():
        when = iso_from_ns(int(bars.open_time_ns[int(inside.argmin())]))
        raise _refusal(what, f"open or close at {when} lie outside of high and low")


def check_quotes(quotes: Quotes, what: str) -> None:
    """Refuse quotes that go back in time or are no prices; crossed ones are passed over later, as live.

    Raises
    ------
    ConfigError
        Naming the first such quote.
    """
    back = quotes.time_ns[1:] < quotes.time_ns[:-1]
    if back.any():
        when = iso_from_ns(int(quotes.time_ns[int(back.argmax()) + 1]))
        raise _refusal(what, f"the quote at {when} goes back in time")
    bad = ~(np.isfinite(quotes.bid) & np.isfinite(quotes.ask) & (quotes.bid > 0) & (quotes.ask > 0))
    if bad.any():
        row = int(bad.argmax())
        found = f"{quotes.bid[row]} / {quotes.ask[row]}"
        raise _refusal(what, f"the quote at {iso_from_ns(int(quotes.time_ns[row]))} is {found}")


def _check_times(times: NDArray[np.int64], what: str) -> None:
    wrong = times[1:] <= times[:-1]
    if wrong.any():
        row = int(wrong.argmax()) + 1
        kind = "twice" if times[row] == times[row - 1] else "after a later one"
        raise _refusal(what, f"the bar at {iso_from_ns(int(times[row]))} comes {kind}")


def _refusal(what: str, found: str) -> ConfigError:
    return ConfigError(f"{what}: {found}; {_REMEDY}")
