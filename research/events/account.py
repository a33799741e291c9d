"""One account of a backtest: intents in, orders and trades out, by the rules of the gateway and the paper account.

What a gateway does against crashes and silence has no place here: everything is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Final

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.ledger import Ledger
from atrader.market import Tick
from atrader.orders import translate
from atrader.orders.broker import Capabilities
from atrader.orders.intake import closable, first_order, missing
from atrader.orders.model import Intent, Order
from atrader.orders.states import TERMINAL, OrderState
from atrader.paper.engine import Engine
from atrader.paper.state import BookState
from atrader.risk import Deny, RiskDay, RiskLimits, RiskState, evaluate, resolve_units
from atrader.risk.pace import Pace
from atrader.trading_state import TradingState, strictest
from atrader.valuation import Valuation, Worth, day_after
from research.events.booking import Booking, News
from research.events.carried import book_of, working_of
from research.events.leeway import Leeway
from research.events.net_watch import NetWatch
from research.events.own_intents import OwnIntents
from research.events.plain import PlainOrders
from research.events.plan import Begin

_ZERO: Final = Decimal(0)
_time_of: Final = attrgetter("time_ns")


class Account:
    """Orders, trades and money of one paper account.

    Parameters
    ----------
    config : AccountConfig
        Its ``paper`` settings say how it fills.
    instances : sequence of InstanceConfig
        Who trades on it.
    instruments : Mapping of str to Instrument
        Everything that is quoted: what is traded, and what converts.
    calendar_of : callable
        Gives the calendar of an instrument.
    shortcuts : bool, default True
        Whether plain orders are carried out in one go; what comes of them is the same.

    Attributes
    ----------
    now_ns : int
        Market time, UTC.
    states : dict of str to TradingState
        Of instances that are not ACTIVE.
    selected : dict of str to TradingState
        What the selection says of instances that have one, at the step that is being played.
    watches : bool
        Whether any limit depends on what the account is worth from step to step. If not it need not be looked at while
        nothing happens.
    counts_day : bool
        Whether any limit depends on what was won and lost.
    nets : bool
        Whether the broker holds one net position per instrument, and no stop or target of a trade.
    """

    def __init__(
        self,
        config: AccountConfig,
        instances: Sequence[InstanceConfig],
        instruments: Mapping[str, Instrument],
        calendar_of: Callable[[str], Calendar],
        *,
        shortcuts: bool = True,
    ) -> None:
        self.config = config
        self.nets = nets = config.positions == "netting"
        self._capabilities = Capabilities(
            hedging=not nets, native_protection=not nets, lookups_prove_absence=True, price_driven=True
        )
        self.instances = {item.magic: item for item in instances}
        self.instruments = instruments
        self.now_ns = 0
        self.submitted = 0  # intents so far
        self.states: dict[str, TradingState] = {}
        self.selected: dict[str, TradingState] = {}
        self.watches = _watches(config, instances)
        self.counts_day = self.watches or any(item.limits.cooldown_after_losses for item in instances)
        self.engine = Engine(config, instruments, calendar_of, BookState(balance=config.paper.initial_balance))
        self.ledger = Ledger(config.name, config.currency_digits)
        self.valuation = Valuation(config.currency, config.currency_digits, nets=nets)
        self.valuation.instruments = instruments
        self.initial_balance = self.valuation.balance = config.paper.initial_balance
        self.day: RiskDay | None = None
        self.orders: dict[str, Order] = {}  # all of them, by client id, in the order of their intents
        self.open_orders: dict[str, Order] = {}  # without an outcome, or working
        self.first_intents: dict[str, Intent] = {}  # of orders that were modified since, by client id
        self._limits = {item.magic: RiskLimits.of(config, item) for item in instances}
        self._leeway = Leeway(self, self._limits) if shortcuts else None
        self._pace = Pace()
        self._allowed: frozenset[int] = frozenset()
        self.own = OwnIntents(self)
        self.net_watch = NetWatch(self) if nets else None
        self.booking = Booking(self)
        plain = PlainOrders(self) if shortcuts else None
        self._plain = plain if plain is not None and plain.are_there else None
        self.engine.books_exit = None if self._plain is None else self._plain.exit

    def carry(self, begin: Begin) -> None:
        """Go on with balance, open trades and working orders of another time, as far as they are in what is played."""
        held = begin.positions
        begin = replace(
            begin,
            trades=[trade for trade in begin.trades if trade.instrument in self.instruments],
            positions=held and {symbol: one for symbol, one in held.items() if symbol in self.instruments},
        )
        book = book_of(begin)
        for order in begin.orders:
            instrument = self.instruments.get(order.intent.instrument)
            if instrument is not None:
                self.keep(order)
                book.orders[order.client_id] = working_of(
                    order, self.config.paper, instrument, self._capabilities, book.tickets.values()
                )
        self.engine.restore(book)
        self.valuation.balance, self.valuation.carried = begin.balance, begin.carried
        self.initial_balance = begin.balance + begin.carried
        self.own.carry(begin.own_ids)
        self.day, self._allowed = begin.day, begin.allowed
        for magic, time_ns in begin.recent:
            self._pace.count(magic, time_ns)
        self.ledger.restore(begin.trades)
        self.booking.carry(begin.trades, begin.closed)

    # -- the market

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Work quotes in, oldest first."""
        if self.net_watch is None:
            self._take(ticks)
            return
        for _, together in groupby(ticks, _time_of):
            moment = list(together)
            self._take(moment)
            self.net_watch.on_ticks(moment)

    def advance(self, now_ns: int) -> None:
        """Come to the end of a step, all quotes of which were worked in."""
        self.now_ns = now_ns

    def _take(self, ticks: Sequence[Tick]) -> None:
        if not ticks:
            return
        newest_ns = ticks[-1].time_ns
        if newest_ns > self.now_ns:
            self.now_ns = newest_ns
        self.valuation.take_ticks(ticks)
        self.engine.on_ticks(ticks)
        if self.engine.has_reports:
            self.booking.apply(self.engine.take_changes().reports)

    def worth(self) -> Worth:
        """Value the account at the last quotes."""
        return self.valuation.worth(self.ledger.open_trades())

    def roll_day(self) -> None:
        """Work the present valuation into the risk day."""
        quoted_ns = self.valuation.newest_ns
        day, is_kept = day_after(self.day, self.config.day_start, self.worth(), self.now_ns, quoted_ns)
        if is_kept:
            self.day = day

    # -- orders

    def submit(self, intent: Intent) -> Order:
        """Carry an intent out; everything that comes of it at once has happened when this returns."""
        self.submitted += 1
        units, denial = self._decide(intent)
        if intent.n > 0:
            self._pace.count(intent.magic, self.now_ns)
        if denial is None and units is not None and self._plain is not None:
            filled = self._plain.fill(intent, units)
            if filled is not None:
                return filled
        order = first_order(intent, units, denial, self.now_ns, native_protection=not self.nets)
        self.keep(order)
        if order.state in TERMINAL:
            if order.state is OrderState.DONE:
                self.booking.carry_out(intent)
            self.booking.news_of(intent.instance).orders.append(order)
            return order
        refusal = self._ask_broker(order)
        reports = self.engine.take_changes().reports
        if refusal is not None:
            self.booking.move(order, OrderState.REJECTED, reason=refusal)
        else:
            self.booking.apply(reports)
        return self.orders[order.client_id]

    def keep(self, order: Order) -> None:
        """Take a new or changed order in."""
        self.orders[order.client_id] = order
        if order.state in TERMINAL:
            self.open_orders.pop(order.client_id, None)
        else:
            self.open_orders[order.client_id] = order

    def closing_units(self, trade_id: str, but: str = "") -> Decimal:
        """Return how many units of a trade are being closed by orders without an outcome, one order left out."""
        closing = (
            order
            for order in self.open_orders.values()
            if order.intent.action == "close" and order.intent.trade_id == trade_id and order.client_id != but
        )
        return sum(((order.units or _ZERO) - order.filled_units for order in closing), _ZERO)

    # -- what became of it

    @property
    def news(self) -> Mapping[str, News]:
        """Events that instances were not told of, by instance."""
        return self.booking.news

    def _ask_broker(self, order: Order) -> str | None:
        intent, engine = order.intent, self.engine
        instrument = self.instruments[intent.instrument]
        if intent.action == "open":
            return engine.submit(translate.open_order(order, instrument, self._capabilities), self.now_ns)
        if intent.action == "cancel":
            return engine.cancel(order.client_id, intent.order_id or "", self.now_ns)
        trade = self.ledger.trade(intent.trade_id or "")
        if intent.action == "modify":
            ticket = None if trade is None else trade.broker_trade_id
            return engine.modify(translate.modification(order, instrument, self._capabilities, ticket), self.now_ns)
        if trade is None:
            return "trade-closed"
        return engine.submit(translate.close_order(order, trade, self._capabilities), self.now_ns)

    def _decide(self, intent: Intent) -> tuple[Decimal | None, str | None]:
        if intent.instrument not in self.instruments:
            return None, f"unknown-instrument: this account does not trade {intent.instrument}"
        trade = None if intent.trade_id is None else self.ledger.trade(intent.trade_id)
        absent = missing(intent, trade, None if intent.order_id is None else self.orders.get(intent.order_id))
        if absent is not None:
            return None, absent
        if intent.action == "close":  # nothing in a backtest halts an account: closes and cancels pass the gate
            assert trade is not None
            closing = self.closing_units(trade.trade_id, but=intent.client_id) if self.open_orders else _ZERO
            return closable(intent, trade, closing, self.instruments[intent.instrument])
        if intent.action == "cancel":
            return None, None
        if self._leeway is not None and intent.action == "open":
            units = self._leeway.units_of(intent, self._pace.recent)
            if units is not None:
                return units, None
        state = self.risk_state(intent)
        units = resolve_units(state, intent) if intent.action == "open" else None
        if intent.magic in self._allowed:
            return units, None
        verdict = evaluate(self._limits[intent.magic], state, intent, units)
        return units, str(verdict) if isinstance(verdict, Deny) else None

    def risk_state(self, intent: Intent | None = None) -> RiskState:
        """Put together what the rules see."""
        trades, orders = self.ledger.open_trades(), tuple(self.open_orders.values())
        symbols = {item.instrument for item in trades}
        symbols.update([order.intent.instrument for order in orders])
        recent: dict[int, int] = {}
        if intent is not None:
            symbols.add(intent.instrument)
            recent[intent.magic] = self._pace.recent(intent.magic, self.now_ns)
        if self.day is None:
            self.roll_day()
        worth = self.valuation.worth(trades)
        return RiskState(
            now_ns=self.now_ns,
            balance=worth.balance,
            equity=worth.equity,
            margin_used=worth.margin_used,
            day=self.day or RiskDay.begin(self.config.day_start, self.now_ns, worth.balance, worth.equity),
            instruments=self.instruments,
            quotes=self.valuation.quotes(symbols, self.now_ns),
            home_rates=self.valuation.home_rates(symbols),
            trades=trades,
            orders=orders,
            floating=worth.floating,
            unvalued=worth.unvalued,
            recent_intents=recent,
            instance_states=self._instance_states(),
            selected_out=[name for name, state in self.selected.items() if state is not TradingState.ACTIVE],
        )

    def _instance_states(self) -> Mapping[str, TradingState]:
        states = self.states
        if not self.selected:
            return states
        selected = self.selected.items()
        return {**states, **{name: strictest((states.get(name, state), state)) for name, state in selected}}


def _watches(account: AccountConfig, instances: Sequence[InstanceConfig]) -> bool:
    limits = account.limits
    of_account = (limits.daily_loss, limits.daily_loss_frac, limits.max_drawdown_frac, account.prop_firm)
    return any(one is not None for one in of_account) or any(_watches_instance(item) for item in instances)


def _watches_instance(config: InstanceConfig) -> bool:
    return config.limits.daily_loss is not None or config.limits.exit_at_session_end
