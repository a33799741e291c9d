"""What a backtest runs on: everything it needs, loaded, and nothing it would have to ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.market_checks import check_bars
from atrader.netting import NetPosition
from atrader.orders.model import Intent, Order, Trade
from atrader.strategy import Strategy
from research.events.tape import BarTape, Tape

if TYPE_CHECKING:  # the risk gate comes with the event engine
    from atrader.risk import RiskDay

Progress = Callable[[int, int], None]
"""Takes the steps done and all steps; called every few thousand steps."""

SignalsOver = Literal["once", "window"]
"""Signals of a strategy: computed once over all bars, or at each bar over its warm-up, as a worker does."""


class SeriesKey(NamedTuple):
    """Bars of one instrument and timeframe."""

    instrument: str
    timeframe: str


class Memory(NamedTuple):
    """What an instance begins with.

    Attributes
    ----------
    n : int
        Highest number of an intent so far.
    state : Mapping of str to object
        Its strategy's own.
    waiting : sequence of Intent
        What it wanted and the account was not told; handed over in its first turn.
    bar_ns : int
        Open time of the newest bar that it decided, UTC; those up to it are not decided again.
    told : Mapping of int to (bid, ask)
        Prices that it is told while it decides a bar, by the bar's open time, whatever is quoted then.
    """

    n: int
    state: Mapping[str, object]
    waiting: Sequence[Intent] = ()
    bar_ns: int = 0
    told: Mapping[int, tuple[float, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Where a run goes on from. Its equity curve counts trades from there on, and not what was open then.

    Attributes
    ----------
    time_ns : int
        When that was, UTC.
    balance : Decimal
        Of the account.
    last_id : int
        Highest number that the broker had given: those of later tickets, and with them their slippage, follow from it.
    trades : sequence of Trade
        Open then.
    orders : sequence of Order
        Working then.
    closed : sequence of Trade
        Closed before, oldest first: what a strategy may ask for.
    memories : Mapping of str to Memory
        By instance; others begin as new.
    positions : Mapping of str to NetPosition, optional
        What a broker that nets holds, by instrument; None: each trade has a ticket.
    carried : Decimal
        What trades realised more than a broker that nets.
    own_ids : Mapping of int to int
        Counters of the account's own intents by magic number, below zero.
    swap_ns : int, optional
        Up to when financing is in the balance; None: up to the time.
    day : RiskDay, optional
        What limits are measured from; None: it begins anew.
    recent : sequence of (int, int)
        Magic number and time, UTC ns, of the intents of the last minute, oldest first.
    allowed : frozenset of int
        Magic numbers of instances whose intents are not judged: they were, at their time.
    """

    time_ns: int
    balance: Decimal
    last_id: int = 0
    trades: Sequence[Trade] = ()
    orders: Sequence[Order] = ()
    closed: Sequence[Trade] = ()
    memories: Mapping[str, Memory] = field(default_factory=dict)
    positions: Mapping[str, NetPosition] | None = None
    carried: Decimal = Decimal(0)
    own_ids: Mapping[int, int] = field(default_factory=dict)
    swap_ns: int | None = None
    day: RiskDay | None = None
    recent: Sequence[tuple[int, int]] = ()
    allowed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The input of the event engine.

    Attributes
    ----------
    account : AccountConfig
        Its settings say how it fills, its limits what it refuses.
    instances : sequence of (InstanceConfig, Strategy)
        Who trades on it; they take their turns in the order of their names, as in a replay.
    instruments : Mapping of str to Instrument
        By symbol; those with a tape are quoted.
    calendar_of : callable
        Gives the calendar of an instrument.
    tapes : sequence of Tape
        What is played, one for each instrument traded or converting.
    series : Mapping of SeriesKey to Bars
        Complete bars that strategies decide at or look back on, from before the first quote on.
    missing : Mapping of SeriesKey to sequence of (first_ns, last_ns, bars)
        Gaps of a series: open times of the first and last bar that is missing, UTC ns, and how many.
    begin : Begin, optional
        Without it an account with its initial balance and nothing open.
    signals : SignalsOver
        Where the two differ in a sample of rows, it is the window that is computed.
    step_ends : sequence of int
        When a step ends besides the rows of the tapes, UTC ns; rising.
    late : Mapping of SeriesKey to Mapping of int to int
        When bars are decided that are decided after their end, by open time, UTC ns; later bars not before them.

    Raises
    ------
    ConfigError
        When bars of a series are no market, see `check_bars`.
    """

    account: AccountConfig
    instances: Sequence[tuple[InstanceConfig, Strategy]]
    instruments: Mapping[str, Instrument]
    calendar_of: Callable[[str], Calendar]
    tapes: Sequence[Tape]
    series: Mapping[SeriesKey, Bars]
    missing: Mapping[SeriesKey, Sequence[tuple[int, int, int]]] = field(default_factory=dict)
    begin: Begin | None = None
    signals: SignalsOver = "once"
    step_ends: Sequence[int] = ()
    late: Mapping[SeriesKey, Mapping[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        played = {id(tape.bars) for tape in self.tapes if isinstance(tape, BarTape)}  # looked at when they became one
        for key, bars in self.series.items():
            if id(bars) not in played:
                check_bars(bars, " ".join(key))
