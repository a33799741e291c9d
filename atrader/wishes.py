"""What strategies want, as intents: the half of a context that trades, the same live and in a backtest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal

from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.orders.model import Intent, OrderType, Side


class Wishes(ABC):
    """Makes intents of what a strategy wants.

    While a bar is handled, opens carry its decision key, their side and their number on that side, so that the same
    bar decided again after a restart cannot open twice. Closes, modifications and cancels need no key: they name the
    trade or order they are about, and must go through when the second life sees what the first one did not.

    Parameters
    ----------
    config : InstanceConfig
        Whose wishes.
    instrument : Instrument
        What it trades; prices are rounded to its tick.
    note : callable
        Numbers the values of an intent, keeps it and returns it.
    """

    def __init__(
        self, config: InstanceConfig, instrument: Instrument, note: Callable[[dict[str, object]], Intent]
    ) -> None:
        self.instrument = instrument
        self.timeframe = config.timeframe
        self._config = config
        self._whose = {"magic": config.magic, "instance": config.name, "instrument": config.instrument}
        self._note = note
        self._opens: dict[str, int] = {}  # of the decision counted last, by side
        self._counted: str | None = None

    @abstractmethod
    def now_ns(self) -> int:
        """Market time, ns UTC."""

    @abstractmethod
    def decided(self) -> tuple[str | None, int]:
        """Return the key of the bar that is being decided (None: it is no bar) and when it ends, ns UTC."""

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
        """Want a new trade; returns its future id. Handed over when the callback returns."""
        on_tick = self.instrument.round_price
        return self._want(
            {
                "action": "open",
                "side": side,
                "units": units,
                "risk_frac": risk_frac,
                "order_type": order_type,
                "price": None if price is None else on_tick(price),
                "stop_loss": None if stop_loss is None else on_tick(stop_loss),
                "take_profit": None if take_profit is None else on_tick(take_profit),
                "trailing_distance": trailing_distance,
                "expires_ns": expires_ns,
                "reason": reason,
                **self._whose,
            }
        )

    def close(self, trade_id: str, *, units: Decimal | None = None, reason: str = "") -> str:
        """Want a trade closed, partly or wholly; returns the id of the order."""
        return self._want({"action": "close", "trade_id": trade_id, "units": units, "reason": reason, **self._whose})

    def modify(
        self,
        trade_id: str,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_distance: Decimal | None = None,
        reason: str = "",
    ) -> str:
        """Want a trade's protection changed; None keeps, 0 removes."""
        return self._want(
            {
                "action": "modify",
                "trade_id": trade_id,
                "stop_loss": self._rounded(stop_loss),
                "take_profit": self._rounded(take_profit),
                "trailing_distance": trailing_distance,
                "reason": reason,
                **self._whose,
            }
        )

    def modify_order(
        self,
        order_id: str,
        *,
        price: Decimal | None = None,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        reason: str = "",
    ) -> str:
        """Want a working order moved, or its protection changed; None keeps, 0 removes."""
        return self._want(
            {
                "action": "modify",
                "order_id": order_id,
                "price": self._rounded(price),
                "stop_loss": self._rounded(stop_loss),
                "take_profit": self._rounded(take_profit),
                "reason": reason,
                **self._whose,
            }
        )

    def cancel(self, order_id: str, *, reason: str = "") -> str:
        """Want a working order cancelled."""
        return self._want({"action": "cancel", "order_id": order_id, "reason": reason, **self._whose})

    def _rounded(self, price: Decimal | None) -> Decimal | None:
        return None if price is None else self.instrument.round_price(price)

    def _want(self, values: dict[str, object]) -> str:
        now_ns = self.now_ns()
        key, decided_ns = self.decided()
        decision = None
        if key is not None:
            if decided_ns < now_ns:
                now_ns = decided_ns
            if values["action"] == "open":
                decision = f"{key}:{values['side']}:{self._number(key, str(values['side']))}"
        values["time_ns"], values["decision"] = now_ns, decision
        return self._note(values).client_id

    def _number(self, key: str, side: str) -> int:
        """Count an open of a decision."""
        if key != self._counted:
            self._counted = key
            self._opens.clear()
        count = self._opens[side] = self._opens.get(side, 0) + 1
        return count
