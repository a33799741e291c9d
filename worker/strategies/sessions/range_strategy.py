"""What the strategies of a session's range share: the range itself, when they may enter, size, stop and exits."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

import numpy as np

from atrader.errors import ConfigError
from atrader.indicators import atr
from atrader.market import Bar, Bars, Tick, decimal_price
from atrader.orders.model import SIGN, Side, Trade
from atrader.session_days import DailyTime, SessionDay
from atrader.strategy import BaseParameters, EventStrategy, Placement, Series
from atrader.timeframes import Timeframe
from worker.strategies.filters import may_enter, warmup_of
from worker.strategies.partial_exits import PartialExits
from worker.strategies.sessions.day_end import DayEnd
from worker.strategies.sessions.day_filters import DayFacts
from worker.strategies.sessions.range_parameters import RangeParameters

_STATE: Final = "day"  # key of the checkpointed state
_DAY: Final = Timeframe.parse("1d")
_DAYS_SINCE: Final = 2  # days of the calendar that may end between the start of a range and the last entry


class Day(NamedTuple):
    """A day as the checkpoint keeps it.

    Attributes
    ----------
    range_end_ns : int
        Which one it is.
    facts : DayFacts or None
        Its range; None: nothing is opened on it.
    entries : int
        Opens that were wanted on it.
    """

    range_end_ns: int
    facts: DayFacts | None
    entries: int = 0

    def to_state(self) -> dict[str, object]:
        """Return it as JSON holds it."""
        return {**self._asdict(), "facts": None if self.facts is None else self.facts._asdict()}

    @classmethod
    def of_state(cls, kept: object, range_end_ns: int) -> Day | None:
        """Return what was kept, None when that is not of the day whose range ended at a time."""
        if not isinstance(kept, dict) or kept.get("range_end_ns") != range_end_ns:
            return None
        return cls(range_end_ns, None if kept["facts"] is None else DayFacts(**kept["facts"]), kept["entries"])


class RangeStrategy(EventStrategy):
    """Opens when a bar after the range does what a subclass waits for; one trade at a time.

    The range is made of the stored bars when the first bar after it is complete: a worker that was away while it formed
    has it whole. From then on ``context.state`` keeps it, with the number of entries: neither a restart nor a bar that
    is revised later changes them.
    """

    Parameters: ClassVar[type[BaseParameters]] = RangeParameters
    parameters: RangeParameters

    def __init__(self, parameters: BaseParameters) -> None:
        super().__init__(parameters)
        self._exits = PartialExits(self.parameters)
        self._days = self.parameters.days()
        self._place("", "1m")  # until it is told; longer bars need fewer of them

    def wanted_side(self, facts: DayFacts, bars: Bars) -> Side | None:
        """Return what to open now, given the bars since the range ended, at least one."""
        raise NotImplementedError

    def broken_edge(self, facts: DayFacts, side: Side) -> float:
        """Return the edge of the range from which the stop of a side is counted."""
        raise NotImplementedError

    def levels(self, facts: DayFacts) -> dict[str, float]:
        """Return what is recorded with the range besides its prices and the ATR."""
        return {}

    @property
    def look_back_bars(self) -> int:
        """How many bars before a decision are looked at, wherever the range began."""
        return 1

    def prepare(self, placement: Placement) -> None:
        """Check that bars begin at the local times.

        Raises
        ------
        ConfigError
            When one lies inside a bar: the range would hold prices from outside.
        """
        self._place(placement.instrument.symbol, placement.timeframe)

    @property
    def warmup_bars(self) -> int:
        """Everything from the start of a range to the end of its entries."""
        day_bars = -(-self.parameters.longest_day_ns() // self._bar_ns)
        return max(day_bars, self.look_back_bars, warmup_of(self.parameters.filters))

    @property
    def other_series(self) -> tuple[Series, ...]:
        """Daily bars, when something is measured by them."""
        return (Series(self._symbol, "1d", self._daily_bars + _DAYS_SINCE),) if self.parameters.needs_daily_bars else ()

    @property
    def quotes_only_in_trades(self) -> bool:
        """Quotes are for targets."""
        return True

    def on_start(self) -> None:
        """Take instrument and bars as they are here; `prepare` may not have been asked."""
        self._place(self.context.instrument.symbol, self.context.timeframe)

    def on_bar(self, bar: Bar) -> None:
        """Close what has to be closed; look whether the bar opens something."""
        end_ns = bar.open_time_ns + self._bar_ns
        self._day_end.close_due(self.context, end_ns, self._wanted_ns)
        span = self._days.at(bar.open_time_ns)
        if end_ns > span.entry_end_ns or self.context.trades() or self.context.orders():
            return
        day = self._day_of(span)
        if day.facts is None or day.entries >= self.parameters.max_entries:
            return
        if self._day_end.due_ns(self.context, end_ns - 1) <= end_ns:  # -1: what opens as its day ends is late, too
            return
        bars = self.context.bars((end_ns - span.range_end_ns) // self._bar_ns)
        side = self.wanted_side(day.facts, _since(bars, span.range_end_ns))
        if side is not None and self.parameters.allows(side) and self._filters_allow(side):
            self._enter(side, bar, day.facts)
            self.context.state[_STATE] = day._replace(entries=day.entries + 1).to_state()

    def on_tick(self, tick: Tick) -> None:
        """Take the targets."""
        self._exits.on_tick(self.context, tick)

    def on_trade(self, trade: Trade) -> None:
        """Forget a closed trade."""
        self._exits.on_trade(self.context, trade)

    def _place(self, symbol: str, bars: str) -> None:
        timeframe = Timeframe.parse(bars)
        wrong = self.parameters.inside_a_bar(timeframe)
        if wrong:
            raise ConfigError("\n".join(wrong))
        self._symbol, self._timeframe, self._bar_ns = symbol, timeframe, timeframe.ns
        self._day_end = DayEnd(self.parameters.flat_at, self.parameters.zone, timeframe.ns)

    def _wanted_ns(self, trade: Trade) -> int:
        """Return when a trade was wanted at the latest: after the end of the entries it only was filled."""
        return min(trade.open_time_ns, self._days.at(trade.open_time_ns).entry_end_ns - 1)

    def _filters_allow(self, side: Side) -> bool:
        filters = self.parameters.filters
        return may_enter(side, filters, self.context.bars(warmup_of(filters)), self.context.instrument)

    def _enter(self, side: Side, bar: Bar, facts: DayFacts) -> None:
        stop = self.broken_edge(facts, side) - SIGN[side] * self.parameters.stop_frac * facts.size
        self.context.signal("entry", float(SIGN[side]), close=bar.close, high=facts.high, low=facts.low, stop=stop)
        self.context.order(
            side,
            risk_frac=self.parameters.risk_frac,
            stop_loss=decimal_price(stop, self.context.instrument.price_tick),
            reason="range entry",
        )

    def _day_of(self, span: SessionDay) -> Day:
        kept = Day.of_state(self.context.state.get(_STATE), span.range_end_ns)
        if kept is not None:
            return kept
        facts = self._measure(span)
        if facts is not None:
            values = {"open": facts.open, "high": facts.high, "low": facts.low, "centre": facts.centre}
            self.context.signal("range", facts.size, **values, atr=facts.atr or 0.0, **self.levels(facts))
            refusal = self.parameters.refusal(facts)
            if refusal is not None:
                self.context.signal(f"refused-{refusal.parameter}", refusal.value)
                facts = None
        day = Day(span.range_end_ns, facts)
        self.context.state[_STATE] = day.to_state()
        return day

    def _measure(self, span: SessionDay) -> DayFacts | None:
        """Return the range of a day; None when too few of its bars are there."""
        bars = self.context.bars(self.warmup_bars)
        after = _since(bars, span.range_start_ns)
        inside = after[: int(np.searchsorted(after.open_time_ns, span.range_end_ns))]
        expected = len(self.context.calendar.expected_bars(span.range_start_ns, span.range_end_ns, self._timeframe))
        if not len(inside) or len(inside) < self.parameters.min_coverage_frac * expected:
            self.context.signal("refused-min_coverage_frac", len(inside) / expected if expected else 0.0)
            return None
        atr_value, last_close = self._daily_values(span.range_start_ns)
        opens_ns = DailyTime(self.parameters.day_opens_at, self.parameters.zone).next_after(span.range_start_ns - 1)
        return DayFacts(
            open=float(inside.open[0]),
            high=float(inside.high.max()),
            low=float(inside.low.min()),
            atr=atr_value,
            last_close=last_close,
            # In a night in which clocks skip that time it may be later than the end of the range.
            centre=float(_since(after, min(opens_ns, span.range_end_ns)).open[0]),
        )

    @property
    def _daily_bars(self) -> int:
        return self.parameters.atr_days + 1  # the first true range needs the close before

    def _daily_values(self, before_ns: int) -> tuple[float | None, float | None]:
        """Return ATR and last close of the daily bars that were complete at a time."""
        if not self.parameters.needs_daily_bars:
            return None, None
        days = self.context.bars_of(self._symbol, "1d", self._daily_bars + _DAYS_SINCE)
        today_ns = self.context.calendar.bar_open(before_ns, _DAY)
        days = days[: int(np.searchsorted(days.open_time_ns, today_ns))][-self._daily_bars :]
        if len(days) < self._daily_bars:
            return None, None
        return float(atr(days.high, days.low, days.close, self.parameters.atr_days)[-1]), float(days.close[-1])


def _since(bars: Bars, start_ns: int) -> Bars:
    return bars[int(np.searchsorted(bars.open_time_ns, start_ns)) :]
