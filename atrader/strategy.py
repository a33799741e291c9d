"""The strategy contract: two ways to write one, the same code live, in replay and in backtests."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from atrader.calendars import Calendar
from atrader.fast_models import PlainlyRead
from atrader.instruments import Instrument
from atrader.market import Bar, Bars, Tick
from atrader.orders.model import Order, OrderType, Side, Trade


class Parameters(PlainlyRead):
    """Base of a strategy's parameters; ranges are pydantic constraints, so forms and optimisers can read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


BaseParameters = Parameters
"""The same class under a name that a strategy's own ``Parameters`` does not hide."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What a signal strategy wants at each bar, decided at the bar's close.

    Attributes
    ----------
    entry : ndarray of int8, shape (n,)
        +1 open long, -1 open short, 0 nothing. An opposite position is closed first.
    exit : ndarray of int8, shape (n,)
        +1 close long, -1 close short, 2 close whatever is open, 0 nothing.
    stop_loss, take_profit : ndarray of float64, shape (n,), optional
        Absolute prices for trades opened at this bar; NaN = none.
    trailing_distance : ndarray of float64, shape (n,), optional
        For trades opened at this bar: the stop follows the best price since the entry at this distance, never back; NaN
        = it stays where it is.
    risk_frac : ndarray of float64, shape (n,), optional
        Share of equity at risk to the stop for trades opened at this bar; needs ``stop_loss``.
    units : ndarray of float64, shape (n,), optional
        Size of trades opened at this bar. Exactly one of units and risk_frac is given.
    indicators : dict of str to ndarray of float64, shape (n,)
        Values behind the decision; the last row is recorded with every signal.
    """

    entry: NDArray[np.int8]
    exit: NDArray[np.int8]
    stop_loss: NDArray[np.float64] | None = None
    take_profit: NDArray[np.float64] | None = None
    risk_frac: NDArray[np.float64] | None = None
    units: NDArray[np.float64] | None = None
    indicators: dict[str, NDArray[np.float64]] | None = None
    trailing_distance: NDArray[np.float64] | None = None


class WarmUp(NamedTuple):
    """How much of what a strategy looks back on is there.

    Attributes
    ----------
    wanted, bars : int
        Bars that were asked for, and that there are.
    missing : int
        Stored bars that are missing among those that the last `wanted` bars are taken or built from. Times without
        quotes count only as long as no source said that there were none.
    """

    wanted: int
    bars: int
    missing: int

    @property
    def whole(self) -> bool:
        """Whether indicators over these bars are what they should be."""
        return not self.missing and self.bars >= self.wanted


class Series(NamedTuple):
    """Bars that a strategy looks at besides those of its own instrument and timeframe.

    Attributes
    ----------
    instrument, timeframe : str
        Of the bars; no timeframe where only prices are asked for.
    bars : int
        How many complete ones it looks back on.
    """

    instrument: str
    timeframe: str = ""
    bars: int = 0


class Placement(NamedTuple):
    """Where an instance of a strategy is to run; known before anything else is.

    Attributes
    ----------
    root : Path
        The installation directory, absolute; paths in parameters are relative to it.
    instance, magic, timeframe
        Of the configuration.
    instrument : Instrument
        What it trades.
    currency, session : str
        Of the account: its currency, and whether its gateway or the worker itself holds the session.
    is_live : bool
        Whether market time is the time of the day: false in replays and backtests.
    instruments : Mapping of str to Instrument
        All that are defined, by symbol.
    """

    root: Path
    instance: str
    magic: int
    instrument: Instrument
    timeframe: str
    currency: str
    session: str
    is_live: bool
    instruments: Mapping[str, Instrument]


class AccountState(NamedTuple):
    """The account at one moment; money in its currency.

    Attributes
    ----------
    name, currency : str
        Of the account.
    balance, equity, margin_used : Decimal
        Without open trades, with them, and what they bind.
    leverage : Decimal
        Value that may be held per margin in the strategy's instrument; 50 is 50:1.
    """

    name: str
    currency: str
    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    leverage: Decimal


class Context(Protocol):
    """What an event strategy sees of the world; the worker and the backtest engine both provide it.

    The calls that trade only note an intent; it is handed to the gateway when the callback returns, in order.
    They return the client id of the future order (for an open, that is also the id of the trade).
    """

    instrument: Instrument
    timeframe: str
    calendar: Calendar  # when the instrument is traded, and where its bars begin
    state: dict[str, object]  # JSON values only; checkpointed with the bar that produced it

    @property
    def warm_up(self) -> WarmUp:
        """How whole what it looks back on is; it changes when missing bars come."""

    def now_ns(self) -> int:
        """Market time, ns UTC."""

    def bars(self, count: int) -> Bars:
        """Return the last complete bars, oldest first (fewer than asked when there are fewer)."""

    def price(self) -> Tick | None:
        """Return the latest quote, if any."""

    def bars_of(self, instrument: str, timeframe: str, count: int, *, forming: bool = False) -> Bars:
        """Return the last complete bars of any instrument and timeframe, oldest first.

        Fewer than asked when there are fewer. What a strategy looks at this way belongs into `Strategy.other_series`:
        else nobody may fetch, build or load it.

        Parameters
        ----------
        forming : bool
            Whether the bar that forms now is the last row, if one does. What belongs to it changes with each quote.

        Raises
        ------
        Retryable
            When the data layer does not answer: ask again at the next bar.
        """

    def price_of(self, instrument: str) -> Tick | None:
        """Return the latest quote of any instrument, None when nobody quotes it; raises as `bars_of`."""

    def instrument_of(self, symbol: str) -> Instrument:
        """Return what any instrument is; raises `ConfigError` when nobody defines it."""

    def trades(self) -> tuple[Trade, ...]:
        """Open trades of this instance, oldest first."""

    def orders(self) -> tuple[Order, ...]:
        """Orders of this instance that have no outcome yet or still work."""

    def closed_trades(self, count: int) -> tuple[Trade, ...]:
        """Return the last closed trades of this instance, newest first; at most 1000 are known.

        Raises
        ------
        Retryable
            When the account's gateway does not answer.
        """

    def equity(self) -> Decimal:
        """Equity of the account, in its currency."""

    def account(self) -> AccountState:
        """Return the account as its gateway sees it now; raises as `closed_trades`."""

    def order(
        self,
        side: Side,
        *,
        units: Decimal | None = None,
        risk_frac: Decimal | None = None,
        order_type: OrderType = "market",
        price: Decimal | None = None,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_distance: Decimal | None = None,
        expires_ns: int | None = None,
        reason: str = "",
    ) -> str:
        """Want a new trade."""

    def close(self, trade_id: str, *, units: Decimal | None = None, reason: str = "") -> str:
        """Want a trade closed, partly or wholly."""

    def modify(
        self,
        trade_id: str,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_distance: Decimal | None = None,
        reason: str = "",
    ) -> str:
        """Want a trade's protection changed; None keeps a value, 0 removes it."""

    def modify_order(
        self,
        order_id: str,
        *,
        price: Decimal | None = None,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        reason: str = "",
    ) -> str:
        """Want a working order moved, or what its trade will be protected by; None keeps a value, 0 removes it."""

    def cancel(self, order_id: str, *, reason: str = "") -> str:
        """Want a working order cancelled."""

    def signal(self, name: str, value: float, **indicators: float) -> None:
        """Record a signal in the history; it trades nothing."""

    def alert(self, kind: str, text: str) -> None:
        """Tell people of something: an alert in log and history."""


class Strategy:
    """Base of both kinds. ``parameters`` is an instance of the class's own ``Parameters``."""

    Parameters: ClassVar[type[BaseParameters]] = Parameters

    def __init__(self, parameters: BaseParameters) -> None:
        self.parameters: BaseParameters = parameters

    def prepare(self, placement: Placement) -> None:
        """Look at where it is to run, before anything else is asked of it: the place to check files it needs.

        Also called by ``atrader-manager check``, so it must neither trade, nor write, nor load foreign code.

        Raises
        ------
        ConfigError
            When it cannot run there; one line for each problem.
        """

    @property
    def warmup_bars(self) -> int:
        """How many complete bars it needs before its first decision."""
        return 0

    @property
    def other_series(self) -> tuple[Series, ...]:
        """What it looks at besides its own bars, through `Context.bars_of` and `Context.price_of`.

        The worker has such bars built and missing ones fetched; a backtest loads them.
        """
        return ()

    @property
    def own_files(self) -> tuple[Path, ...]:
        """Files besides its source that decide what it does, such as a model; asked after `prepare`.

        Runs with other contents of them are other runs, whatever the parameters say.
        """
        return ()

    @property
    def memory_files(self) -> tuple[Path, ...]:
        """Files that it goes on from besides its state; asked after `prepare`.

        What is in them when a worker begins is kept for who runs its day again.
        """
        return ()

    def run_again(self, files: Mapping[Path, bytes]) -> None:
        """Be told, after `prepare`, that a recorded day is run again, with the `memory_files` of then."""


class SignalStrategy(Strategy):
    """A strategy as an array expression."""

    needs_whole_warm_up: ClassVar[bool] = False
    """Whether it opens nothing while bars of its warm-up are missing; exits go on."""

    @property
    def exit_bars(self) -> int:
        """How many complete bars it needs until its exits count; fewer where only entries need all `warmup_bars`."""
        return self.warmup_bars

    def load(self) -> None:
        """Load what takes long, such as a model; called once where it runs, before any bar has to be decided in time.

        Raises
        ------
        ConfigError
            When it cannot be loaded.
        """

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        """Compute the wishes at every bar given; only the past of each bar may be used."""
        raise NotImplementedError


class EventStrategy(Strategy):
    """A strategy as reactions; override what is needed."""

    context: Context

    @property
    def wants_quotes(self) -> bool:
        """Whether `on_tick` is called; by default when it is overridden."""
        return type(self).on_tick is not EventStrategy.on_tick

    @property
    def quotes_only_in_trades(self) -> bool:
        """Whether `on_tick` is called only while it has an open trade: a backtest passes over all other quotes."""
        return False

    def on_start(self) -> None:
        """React to the start, with bars, trades and ``context.state`` in place."""

    def on_bar(self, bar: Bar) -> None:
        """React to a complete bar."""

    def on_tick(self, tick: Tick) -> None:
        """React to a quote; sampled: between two calls only the latest quote counts."""

    def on_order(self, order: Order) -> None:
        """React to an order of this instance whose state changed."""

    def on_trade(self, trade: Trade) -> None:
        """React to a trade of this instance that opened, changed or closed."""

    def on_stop(self) -> None:
        """React to an orderly stop; it must not trade."""


def is_closing(context: Context, trade_id: str) -> bool:
    """Tell whether a close of a trade, or of a part of it, is under way."""
    return any(order.intent.action == "close" and order.intent.trade_id == trade_id for order in context.orders())
