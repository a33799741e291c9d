"""Event strategies: each decision of a sample made a second time, by a strategy that was started just before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from atrader.clock import iso_from_ns
from atrader.errors import ConfigError
from atrader.market import Bar, Tick
from atrader.orders.model import Order, Trade
from atrader.strategy import EventStrategy, Series
from research.checking.again import Again, Decision, decision_of, differs, state_text
from research.checking.beside import Overheard
from research.checking.finding import Finding, Kind, Report
from research.events.context import BacktestContext
from research.events.engine import EventEngine
from research.events.plan import Plan, Progress, SeriesKey
from research.events.result import Result

Make = Callable[[], EventStrategy]

_LONGER: Final = (2, 4)  # windows, in warm-ups; the last is what the others are compared with


def check_events(plan: Plan, make: Make, *, sample: int, progress: Progress | None = None) -> Report:
    """Run a strategy, and decide again at the last bars, and wherever it wanted something before.

    The second decision is made by a strategy that was made just before, as a worker that is restarted makes it: it has
    the warm-up, the checkpointed state, open trades and orders, and nothing else; its arrays end where the market is.
    What it wants and tells must be the same, also with a longer warm-up.

    Parameters
    ----------
    plan : Plan
        With one instance; its strategy is not used.
    make : callable
        Makes the strategy, prepared; called for every decision.
    sample : int
        How many of the last bars are decided again, and at most so many decisions before them.

    Raises
    ------
    ConfigError
        When there is no bar to decide at.
    StrategyError
        When the strategy fails and its policy is to stop, or its state holds what JSON cannot.
    """
    ((config, _),) = plan.instances
    opens = plan.series[SeriesKey(config.instrument, config.timeframe)].open_time_ns
    witness = Witness(make, int(opens[-min(sample, len(opens))]), sample)
    first = EventEngine(replace(plan, instances=[(config, witness)])).run(progress)
    report = witness.report()
    second = EventEngine(replace(plan, instances=[(config, Witness(make, int(opens[-1]) + 1, 0))])).run()
    parted_ns = _parted(first, second)
    if parted_ns is None:
        return report
    text = (
        f"at {iso_from_ns(parted_ns)} a second run in the same process wants something else: chance, a clock, or what"
        " is kept beyond the run; mend that first: nobody can say what else it depends on"
    )
    chance = Finding("chance", "run", parted_ns, 1, text)
    kept = [one for one in report.findings if one.kind == "memory"]
    return replace(report, findings=[chance, *kept], warmup_needed=None)


def _parted(first: Result, second: Result) -> int | None:
    """Return when two runs first wanted or told different things; None when they did not."""
    for one, other in zip_longest(_wanted(first), _wanted(second)):
        if one != other:
            return min(made[0] for made in (one, other) if made is not None)
    return None


def _wanted(result: Result) -> list[tuple[int, str]]:
    orders = [(order.intent.time_ns, repr(order.intent)) for order in result.orders]
    return sorted([*orders, *((signal.time_ns, repr(signal)) for signal in result.signals)])


class Witness(EventStrategy):
    """Lets a strategy run, and asks a new one at every decision of the sample.

    Parameters
    ----------
    make : callable
        Makes the strategy.
    since_ns : int
        From bars that open here on every decision counts; before, those that wanted something.
    most : int
        How many of the latter at most.
    """

    def __init__(self, make: Make, since_ns: int, most: int) -> None:
        self._make = make
        self._inner = make()
        super().__init__(self._inner.parameters)
        self._since_ns = since_ns
        self._left = most
        self._heard: Overheard | None = None
        self._decided: list[int] = []
        self._findings: dict[tuple[Kind, str], Finding] = {}
        self._factor = 1  # of the warm-up, that was needed

    @property
    def warmup_bars(self) -> int:
        """What the strategy asks for."""
        return self._inner.warmup_bars

    @property
    def other_series(self) -> tuple[Series, ...]:
        """What the strategy looks at."""
        return self._inner.other_series

    @property
    def wants_quotes(self) -> bool:
        """Whether the strategy listens to quotes."""
        return self._inner.wants_quotes

    @property
    def quotes_only_in_trades(self) -> bool:
        """Whether it listens to them only while it has an open trade."""
        return self._inner.quotes_only_in_trades

    def on_start(self) -> None:
        """Let it start."""
        assert isinstance(self.context, BacktestContext)
        self._heard = self._inner.context = Overheard(self.context)
        self._pass_on(self._inner.on_start)

    def on_bar(self, bar: Bar) -> None:
        """Let it decide, and then another one."""
        self._decide("on_bar", lambda strategy: strategy.on_bar(bar))

    def on_tick(self, tick: Tick) -> None:
        """Let it decide, and then another one."""
        self._decide("on_tick", lambda strategy: strategy.on_tick(tick))

    def on_order(self, order: Order) -> None:
        """Let it hear of an order."""
        self._pass_on(lambda: self._inner.on_order(order))

    def on_trade(self, trade: Trade) -> None:
        """Let it hear of a trade."""
        self._pass_on(lambda: self._inner.on_trade(trade))

    def on_stop(self) -> None:
        """Let it stop."""
        self._pass_on(self._inner.on_stop)

    def report(self) -> Report:
        """Return what was found.

        Raises
        ------
        ConfigError
            When it decided nothing.
        """
        if not self._decided:
            raise ConfigError("no bar of the period was decided: choose a longer one")
        needed = self._inner.warmup_bars * self._factor or None
        findings = [
            one._replace(text=f"{one.text}: warmup_bars = {needed} are enough") if one.kind == "history" else one
            for one in self._findings.values()
        ]
        return Report(
            bars=len(self._decided),
            first_ns=self._decided[0],
            last_ns=self._decided[-1],
            warmup_bars=self._inner.warmup_bars,
            warmup_needed=None if any(kind == "looks-ahead" for kind, _ in self._findings) else needed,
            findings=findings,
        )

    @property
    def _context(self) -> BacktestContext:
        assert isinstance(self.context, BacktestContext)
        return self.context

    def _pass_on(self, call: Callable[[], None]) -> None:
        assert self._heard is not None
        self._heard.begin()
        try:
            call()
        finally:
            self._heard.end()

    def _decide(self, what: str, call: Callable[[EventStrategy], None]) -> None:
        assert self._heard is not None
        context = self._context
        state, told = state_text(context.state), len(context.world.signals)
        self._pass_on(lambda: call(self._inner))
        ran = decision_of(self._heard.intents, context.world.signals[told:])
        bar_ns = int(context.parts[2].bars.open_time_ns[context.row]) if context.row >= 0 else 0
        if bar_ns < self._since_ns:
            if not ran or not self._left:
                return
            self._left -= 1
        self._decided.append(bar_ns)
        self._compare(what, bar_ns, ran, Again(self._make, context, state, call, on_bar=what == "on_bar"))

    def _compare(self, what: str, bar_ns: int, ran: Decision, again: Again) -> None:
        tick = self._context.instrument.price_tick
        found = again.decide()
        difference = differs(ran, found, tick, exact=True)
        if difference is not None:
            if differs(ran, again.decide(copies=False), tick, exact=True) is None:
                text = "it reaches behind the end of the bars it is given, into later ones"
                self._note("looks-ahead", what, bar_ns, f"{difference}: {text}")
            elif differs(ran, again.decide(narrow=False), tick, exact=True) is None:
                text = "it takes from the backtest what no worker has, which may be of the future"
                self._note("looks-ahead", what, bar_ns, f"{difference}: {text}")
            else:
                text = "keep what it remembers in context.state, or rebuild it from warmup_bars in on_start"
                self._note("memory", what, bar_ns, f"{difference}, when it was restarted just before: {text}")
            return
        factors = [one for one in _LONGER if one * self._inner.warmup_bars <= self._context.row + 1]
        if not factors or not self._inner.warmup_bars:
            return
        longest = again.decide(factor=factors[-1])
        difference = differs(found, longest, tick)
        if difference is not None:
            same = (one for one in factors if differs(again.decide(factor=one), longest, tick) is None)
            self._factor = max(self._factor, next(same))
            self._note("history", what, bar_ns, f"{difference}, with more bars before it")

    def _note(self, kind: Kind, what: str, bar_ns: int, text: str) -> None:
        known = self._findings.get((kind, what))
        first = Finding(kind, what, bar_ns, 0, text) if known is None else known
        self._findings[kind, what] = first._replace(bars=first.bars + 1, text=text if known is None else first.text)
