"""The Asirikuy C library as a strategy: its arrays filled, its results checked and turned into wishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from atrader.broker_clock import WallClock
from atrader.clock import NS_PER_S, SystemClock
from atrader.errors import ConfigError, Retryable
from atrader.market import Bar, Tick
from atrader.orders.model import Order
from atrader.orders.states import OrderState
from atrader.runtime.spec import worker_name
from atrader.strategy import AccountState, BaseParameters, EventStrategy, Placement, Series
from framework_bridge.abi.account import AccountInfo, Prices
from framework_bridge.abi.codes import describe
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.signals import OrderKind
from framework_bridge.bars_plan import series_of
from framework_bridge.complaints import Complaints
from framework_bridge.conversion import Conversion, conversion_of
from framework_bridge.decisions import Decision, Open, decide, terms_of
from framework_bridge.files import InstanceFiles, cut_output, state_file
from framework_bridge.known_library import require_known_library
from framework_bridge.order_view import OrderView, Seen, is_in_the_air
from framework_bridge.own_curve import OwnCurve
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.performing import Performer
from framework_bridge.rates_feed import Filled, Readiness
from framework_bridge.session import LibrarySession
from framework_bridge.setup import Setup, read_setup
from framework_bridge.sleep_hours import sleeps
from framework_bridge.tickets import Tickets
from framework_bridge.time_server import ServerTime, TimeProof
from framework_bridge.watchdog import end_process

_CLOSED_TRADES: Final = 1000
_RAN: Final = "ran"  # in the state: bar of rates index 0 on which the strategy was run last
_OLD_PRICE: Final = "price-age:"  # begins the reason of a denial that the next quote ends
_AGAIN_NS: Final = NS_PER_S  # after somebody did not answer, or while a price is missing
_MINUTE_S: Final = 60
_WEEK_S: Final = 7 * 86_400
_FIRST_MONDAY_S: Final = 4 * 86_400  # 1970 began on a Thursday


class AsirikuyStrategy(EventStrategy):
    """Calls the user's library at each bar, and does what it says as far as that is sound.

    The library decides; everything that it does not check itself is checked here: enough bars, no hole in them, prices
    and account known, a time server there, spread, drawdown, monitor mode, results that can be. A crash or a hang of
    the library ends the worker; the next one goes on from the checkpoint (docs/asirikuy.md).
    """

    Parameters: ClassVar[type[BaseParameters]] = AsirikuyParameters
    parameters: AsirikuyParameters
    _placement: Placement
    _setup: Setup
    _again: bytes | None = None  # a recorded day is run again: the library's state file of then, empty for none
    _conversion: Conversion
    _session: LibrarySession

    def prepare(self, placement: Placement) -> None:
        """Read and check preset, XML and clocks; the library is looked at, not loaded."""
        self._placement = placement
        self._setup = read_setup(self.parameters, placement)
        self._conversion = conversion_of(placement.instrument, placement.currency, placement.instruments)

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The library, and what it is told by: each may change under its name."""
        given = self.parameters
        return tuple(self._placement.root / one for one in (given.library, given.framework_config, given.preset))

    @property
    def memory_files(self) -> tuple[Path, ...]:
        """The library's own state, which says what bar was run last; where it keeps one."""
        return () if self._setup.is_testing else (state_file(self._setup.temp, self._placement.magic),)

    def run_again(self, files: Mapping[Path, bytes]) -> None:
        """Go on from the state file of then; it is called between bars, as it was, and looks at no clock."""
        self._again = next(iter(files.values()), b"")

    @property
    def warmup_bars(self) -> int:
        """Bars of the instance's own timeframe that the library needs."""
        return next((one.bars for one in series_of(self._setup.plans) if self._is_own(one)), 0)

    @property
    def other_series(self) -> tuple[Series, ...]:
        """What the rates indices hold, and the pairs that convert into the account's currency."""
        return (*series_of(self._setup.plans), *map(Series, self._conversion.instruments))

    @property
    def wants_quotes(self) -> bool:
        """Live always: between bars the library shows that it lives, and repeats orders that were refused."""
        return self._placement.is_live or self._setup.runs_every_tick or self._again is not None

    def on_start(self) -> None:
        """Load the library.

        Raises
        ------
        ConfigError
            When it is another one, or its folders cannot be used.
        """
        context, parameters, setup, placement = self.context, self.parameters, self._setup, self._placement
        self._process = worker_name(placement.instance)
        try:
            files = InstanceFiles(setup.temp, setup.log, placement.magic)
            require_known_library(setup.library, setup.temp)
        except OSError as error:
            raise ConfigError(f"{setup.framework_config}: a folder of it cannot be used: {error}") from error
        end = partial(end_process, self._process)
        self._session = LibrarySession(setup, parameters, placement, self._conversion, context, end, self._again)
        self._files = None if setup.is_testing else files
        self._times = TimeProof(parameters.ntp_servers, parameters.ntp_deadline, setup.ntp_interval_s, SystemClock())
        self._complaints = Complaints(context.alert)
        self._performer = Performer(context, setup, self._complaints)
        self._wall: WallClock = setup.clock.wall()
        self._reference: WallClock = setup.reference.wall()
        self._terms = terms_of(parameters, context.instrument)
        tickets = Tickets(context.state, placement.magic)
        self._orders = OrderView(tickets, self._wall, float(parameters.contract_size))
        self._curve: OwnCurve | None = None
        self._begin()

    def _begin(self) -> None:
        own = self.context.bars(1)
        self._bar_ns = int(own.open_time_ns[-1]) if len(own) else 0
        self._primary = -1
        self._rejected: Counter[OrderKind] = Counter()
        self._repeats = 0
        self._was_refused = False
        self._has_failed = False
        self._is_due = False
        self._next_ns = 0
        self._is_first_bar = True
        self._runs_again = False

    def on_bar(self, bar: Bar) -> None:
        """Call the library: a new bar has begun."""
        self._bar_ns = bar.open_time_ns
        if (primary := self._primary_bar(self.context.now_ns())) != self._primary:
            self._primary = primary
            self._rejected.clear()
            self._repeats, self._was_refused = 0, False
        # A bar that this life handles first may have been run by the last one, which died before it could say so.
        self._runs_again, self._is_first_bar = self._is_first_bar, False
        self._turn(is_new=True)

    def on_tick(self, tick: Tick) -> None:
        """Call the library between bars: each time if it wants that, else when it is time again."""
        is_time = self.context.now_ns() >= self._next_ns
        # After a code but 0 each call costs memory for good: the next bar or `call_every` has to do.
        each = self._setup.runs_every_tick and not self._has_failed
        if self._bar_ns and (each or self._is_due or is_time):
            self._turn(is_new=False)

    def on_order(self, order: Order) -> None:
        """Have the bar run again when something that it wanted was refused: opens are then made for those only."""
        intent = order.intent
        if self._files is None or self._setup.runs_every_tick or intent.n < 0 or not _is_refused(order):
            return
        if self._repeats < self.parameters.order_retries:
            self._repeats += 1
            self._was_refused = self._is_due = True
            if intent.action == "open" and intent.side is not None:
                self._rejected[OrderKind.of(intent.side, intent.order_type)] += 1

    def on_stop(self) -> None:
        """End the instance in the library."""
        self._session.close()

    def _is_own(self, series: Series) -> bool:
        placement = self._placement
        return series.instrument == placement.instrument.symbol and series.timeframe == placement.timeframe

    def _turn(self, *, is_new: bool) -> None:
        """Call the library if it makes sense now, and do what it says."""
        now_ns = self.context.now_ns()
        self._next_ns = now_ns + int(self.parameters.call_every * NS_PER_S)
        self._is_due = False
        if not self.context.calendar.is_open(now_ns):
            return
        if sleeps(self._session.symbol, now_ns, self._reference, is_live=not self._setup.is_testing):
            self._show_life()
        elif any(is_in_the_air(order) for order in self.context.orders()):
            self._is_due = True  # what is open is not known: nothing may be decided on it
        else:
            try:
                self._look(now_ns, is_new=is_new)
            except Retryable as error:
                self._next_ns = now_ns + _AGAIN_NS
                self._complaints.about("not-answered", f"the library is not called: {error}")
            else:
                self._complaints.over("not-answered")

    def _look(self, now_ns: int, *, is_new: bool) -> None:
        """Look at prices and bars; call the library when they are all there."""
        context = self.context
        tick = context.price()
        prices = None if tick is None else self._conversion.prices(tick, context.price_of)
        if tick is None or prices is None:
            needed = ", ".join((context.instrument.symbol, *self._conversion.instruments))
            self._complaints.about("no-price", f"the library is not called: a price is missing of {needed}")
            self._next_ns = now_ns + _AGAIN_NS
            return
        self._complaints.over("no-price")
        filled = self._session.fill_bars(now_ns, self._bar_ns, is_new=is_new)
        if filled.readiness is not Readiness.HISTORY:
            self._call(now_ns, tick, prices, filled)

    def _call(self, now_ns: int, tick: Tick, prices: Prices, filled: Filled) -> None:
        if filled.readiness is Readiness.SHORT:
            self._complaints.about("not-enough-bars", f"the library is not called: {filled.text}")
            return
        self._complaints.over("not-enough-bars")
        if not self._time_is_proven(tick):
            return
        seen = self._pass_account(now_ns, prices)
        again = self._files is not None and (self._runs_again or self._was_refused)
        self._runs_again = self._was_refused = False
        files = self._files if again else None
        if files is not None:
            files.tell_order_failed()
        try:
            code = self._session.run(filled)
        finally:
            if files is not None:  # the library forgets it only when it had to look: on a new bar it runs anyway
                files.forget_order_failed()
        if filled.readiness is Readiness.ANEW:
            self.context.signal("library-initialised", float(self._session.initialised))
        self._report(code)
        self._has_failed = code != 0
        if code == 0:
            self._show_life()
            self._carry_out(now_ns, tick, seen)

    def _time_is_proven(self, tick: Tick) -> bool:
        """Tell whether the clock is right: by time servers, else by the venue's time of the last quote."""
        problem = None
        if self._files is not None:
            problem = self._times.problem()
        elif self._placement.is_live:
            problem = ServerTime((tick.time_ns - tick.received_ns) / NS_PER_S).problem
        if problem is None:
            self._complaints.over("clock")
            return True
        self._complaints.about("clock", f"the library is not called: {problem}")
        return False

    def _pass_account(self, now_ns: int, prices: Prices) -> Seen:
        """Write orders, account and prices of the call."""
        context, call = self.context, self._session.call
        account, closed = context.account(), context.closed_trades(_CLOSED_TRADES)
        curve = self._own_curve(account)
        curve.settle(closed)
        rate = self._conversion.home_rate(prices)
        balance = float(curve.balance if self._setup.own_balance else account.balance)
        seen = self._orders.fill(call.orders, context.trades(), context.orders(), closed, prices, rate, balance)
        equity = curve.see(seen.floating)
        if not self._setup.own_balance:
            equity = float(account.equity)
        call.set_now(now_ns, prices, self._account_info(account, balance, equity, seen.risk_percent, curve))
        call.set_setting(Setting.USE_SL, float(seen.lacks_stop or bool(self._setup.setting(Setting.USE_SL))))
        return seen

    def _own_curve(self, account: AccountState) -> OwnCurve:
        if self._curve is None:
            begin = self._setup.own_balance or account.equity
            self._curve = OwnCurve(self.context.state, begin, self.context.now_ns())
            self._session.call.set_setting(Setting.ORIGINAL_EQUITY, float(self._curve.begin))
        return self._curve

    def _account_info(
        self, account: AccountState, balance: float, equity: float, risk_percent: float, curve: OwnCurve
    ) -> AccountInfo:
        parameters = self.parameters
        return AccountInfo(
            number=float(parameters.account_number),
            balance=balance,
            equity=equity,
            margin=float(account.margin_used),
            leverage=float(account.leverage),
            contract_size=float(parameters.contract_size),
            minimum_stop=self._terms.minimum_stop,
            stopout_percent=float(parameters.stopout_percent),
            open_risk_percent=risk_percent,
            largest_drawdown_percent=curve.worst_percent,
        )

    def _report(self, code: int) -> None:
        took_s, budget_s = self._session.took_s, self.parameters.call_budget
        if took_s > budget_s:
            text = f"a call of the library took {took_s:.3f} s, more than call_budget = {budget_s:g} s"
            self._complaints.about("call-budget", text)
        if cut_output(self._process):
            self._complaints.about("library-noise", "the library prints a lot: its output file was full, and emptied")
        if code:
            text = f"c_runStrategy answers {describe(code)}; its results are not looked at"
            self._complaints.about("library-code", text, same=str(code))
        else:
            self._complaints.over("library-code")

    def _show_life(self) -> None:
        if self._files is not None:
            self._files.show_heartbeat(SystemClock().now_ns())
            self._files.show_values()

    def _carry_out(self, now_ns: int, tick: Tick, seen: Seen) -> None:
        """Do what the results say; a bar that ran before opens only what the broker refused then."""
        primary = self._primary_bar(now_ns)
        repeats = self.context.state.get(_RAN) == primary and not self._setup.runs_every_tick
        rows = self._session.call.results.read()
        if rows:  # else nothing may have been run, for reasons of the library's own: what comes later is no repetition
            self.context.state[_RAN] = primary
        decided = decide(rows, seen.holdings, tick, (now_ns, self._wall.second(now_ns)), self._terms)
        if repeats:
            decided = [one for one in decided if not isinstance(one, Open) or self._replaces(one)]
        self._rejected.clear()
        assert self._curve is not None  # the call was made with it
        self._performer.perform(decided, tick, self._curve.worst_percent)

    def _primary_bar(self, now_ns: int) -> int:
        """Return the bar of rates index 0 that forms at a time, as the library counts: it runs once in each.

        It may be longer than the bars at which the library is called, and forms by the reference broker's clock.
        """
        second = self._reference.second(now_ns)
        length_s = int(self._setup.setting(Setting.TIMEFRAME)) * _MINUTE_S
        return (second - _FIRST_MONDAY_S if length_s == _WEEK_S else second) // length_s

    def _replaces(self, one: Decision) -> bool:
        assert isinstance(one, Open)
        self._rejected[one.kind] -= 1
        return self._rejected[one.kind] >= 0


def _is_refused(order: Order) -> bool:
    """Tell whether it makes sense to want the same again: the broker refused it, or there was no fresh price."""
    if order.state is OrderState.DENIED:
        return order.reason.startswith(_OLD_PRICE)
    return order.state is OrderState.REJECTED
