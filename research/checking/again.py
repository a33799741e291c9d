"""One decision made again, and when two decisions are different."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

from atrader.errors import StrategyError
from atrader.orders.model import Intent
from atrader.strategy import Context, EventStrategy
from research.checking.beside import Aside, At, Narrow
from research.columns import TOLERANCE
from research.events.context import BacktestContext
from research.events.told import Signal

Decision = Sequence[Mapping[str, Any]]
"""What was wanted and told in one call, in order; a map for each."""

_PRICES: Final = frozenset({"price", "stop_loss", "take_profit"})
_OF_INTENT: Final = (
    "action", "side", "order_type", "units", "risk_frac", *sorted(_PRICES), "trailing_distance", "expires_ns",
    "trade_id", "order_id",
)  # fmt: skip


def state_text(state: Mapping[str, object]) -> str:
    """Return a state as a checkpoint keeps it.

    Raises
    ------
    StrategyError
        When it holds what JSON cannot.
    """
    try:
        return json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"context.state holds a value JSON cannot: {error}") from error


def decision_of(intents: Sequence[Intent], signals: Sequence[Signal]) -> Decision:
    """Put together what a call wanted and told; ids of what it opened itself are counted, as they are chance."""
    own = {intent.client_id: f"new {number}" for number, intent in enumerate(intents, start=1)}
    wishes = []
    for intent in intents:
        values = {name: getattr(intent, name) for name in _OF_INTENT}
        values["trade_id"] = own.get(values["trade_id"], values["trade_id"])
        values["order_id"] = own.get(values["order_id"], values["order_id"])
        wishes.append({name: value for name, value in values.items() if value is not None})
    told = [{"signal": one.name, "value": one.value, **one.indicators} for one in signals]
    return [*told, *wishes]


def differs(one: Decision, other: Decision, tick: Decimal, *, exact: bool = False) -> str | None:
    """Say what is different in the second of two decisions; None when they are the same.

    Parameters
    ----------
    tick : Decimal
        Price step of the instrument: by so much prices may differ when not everything has to be equal, since they are
        rounded to it; other numbers by `TOLERANCE` of themselves.
    """
    for number in range(max(len(one), len(other))):
        ours = one[number] if number < len(one) else {}
        theirs = other[number] if number < len(other) else {}
        if ours.keys() != theirs.keys():
            return f"{_shown(ours)} becomes {_shown(theirs)}"
        for name, value in ours.items():
            if not _alike(name, value, theirs[name], tick, exact=exact):
                return f"{name} of {_shown(ours)} becomes {theirs[name]}"
    return None


def _alike(name: str, one: Any, other: Any, tick: Decimal, *, exact: bool) -> bool:
    if one == other or (one != one and other != other):
        return True
    if exact or not isinstance(one, (float, Decimal)):
        return False
    near = float(tick) * 1.01 if name in _PRICES else TOLERANCE * max(abs(float(one)), abs(float(other)))
    return abs(float(one) - float(other)) <= near


def _shown(what: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in what.items() if name != "order_type") or "nothing"


class Again:
    """A call to be made again.

    Parameters
    ----------
    make : callable
        Makes a strategy that knows nothing.
    context : BacktestContext
        Where the run is.
    state : str
        The state before the call, as JSON.
    call : callable
        Makes the call of the strategy it is given.
    on_bar : bool
        Whether a bar is decided: then the strategy starts at the bar before it.
    """

    def __init__(
        self,
        make: Callable[[], EventStrategy],
        context: BacktestContext,
        state: str,
        call: Callable[[EventStrategy], None],
        *,
        on_bar: bool,
    ) -> None:
        self._make = make
        self._context = context
        self._state = state
        self._call = call
        self._on_bar = on_bar

    def decide(self, *, factor: int = 1, copies: bool = True, narrow: bool = True) -> Decision:
        """Let a new strategy decide.

        Parameters
        ----------
        factor : int
            Warm-ups that it has and asks for.
        copies : bool
            False: the arrays it gets are those of the run, with everything that lies behind their ends.
        narrow : bool
            False: its context is that of a backtest, with everything that a worker's has not.
        """
        strategy = self._make()
        if factor != 1:
            strategy.__class__ = _longer(type(strategy), factor * strategy.warmup_bars)
        aside = Aside(
            self._context,
            json.loads(self._state),
            size=None if factor == 1 else max(self._context.parts[3], strategy.warmup_bars),
            copies=copies,
        )
        strategy.context = cast(Context, Narrow(aside)) if narrow else aside
        try:
            self._start(strategy, aside)
            aside.forget()
            self._call(strategy)
        except Exception as error:  # noqa: BLE001 - boundary: user code may fail in any way, and did not when it ran
            return [{"raised": f"{type(error).__name__}: {error}"}]
        return decision_of(aside.intents, aside.signals)

    def _start(self, strategy: EventStrategy, aside: Aside) -> None:
        place = aside.place
        if self._on_bar:
            aside.place = At(max(place.row - 1, 0))
        strategy.on_start()
        for trade in aside.trades():
            strategy.on_trade(trade)
        for order in aside.orders():
            strategy.on_order(order)
        aside.place = place


def _longer(kind: type[EventStrategy], bars: int) -> type[EventStrategy]:
    """Return the same strategy with another warm-up."""
    longer = property(lambda _: bars)
    return type(kind.__name__, (kind,), {"warmup_bars": longer, "indicator_bars": longer, "__doc__": kind.__doc__})
