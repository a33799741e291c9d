"""The client of workers and commands."""

from __future__ import annotations

from typing import cast

from atrader.bus import SyncCallClient
from atrader.configuration.home import Home
from atrader.messages.gateway import (
    AccountAnswer,
    Acknowledged,
    Attach,
    CloseAll,
    ClosedTrades,
    GetAccount,
    GetClosedTrades,
    InstanceSnapshot,
    OrderAnswer,
    Submit,
    Synchronise,
    Synchronised,
)
from atrader.orders.model import Intent, Trade

SUBMIT_S = 3.0
"""Longer than a gateway takes to answer with an order that is still in flight."""

READ_S = 5.0
CLOSE_ALL_S = 10.0
"""Closing waits for outcomes."""


class BrokerClient:
    """One gateway, asked from a plain loop; for one thread.

    All calls may be repeated after a time-out: an intent has one identity, and the gateway answers a known one with
    the order it already has.

    Parameters
    ----------
    home : Home
        The installation.
    account : str
        Name of the account.
    """

    def __init__(self, home: Home, account: str) -> None:
        self._calls = SyncCallClient(home.endpoint(f"gateway.{account}.call"))

    def submit(self, intent: Intent, timeout_s: float = SUBMIT_S) -> OrderAnswer:
        """Hand an intent over; blocks for the broker's answer, about 2 s at most.

        When this returns the order is on the gateway's disk. It may be SENT or UNKNOWN; the rest comes as events.

        Raises
        ------
        Rejected
            Refused for good and not written down: ``details["reason"]`` is ``intent-id-reused``, ``journal-full``,
            ``unknown-instance`` or ``reserved-counter``.
        Retryable
            No answer in time, or nothing was sent yet: hand the same intent over again.
        """
        return cast(OrderAnswer, self._calls.call(Submit(intent=intent), timeout_s))

    def attach(self, instance: str, magic: int, since_ns: int, timeout_s: float = READ_S) -> InstanceSnapshot:
        """Return everything an instance owns, and what ended since a time (UTC ns).

        Raises
        ------
        DeadlineExceeded
            When no answer came in time.
        """
        request = Attach(instance=instance, magic=magic, since_ns=since_ns)
        return cast(InstanceSnapshot, self._calls.call(request, timeout_s))

    def account(self, timeout_s: float = READ_S, *, money_only: bool = False) -> AccountAnswer:
        """Return the account, without its trades and orders if only its money is wanted; raises as `attach` does."""
        return cast(AccountAnswer, self._calls.call(GetAccount(money_only=money_only), timeout_s))

    def closed_trades(self, magic: int, count: int, timeout_s: float = READ_S) -> tuple[Trade, ...]:
        """Return the last closed trades of a magic number, newest first; raises as `attach` does."""
        return cast(ClosedTrades, self._calls.call(GetClosedTrades(magic=magic, count=count), timeout_s)).trades

    def close_all(
        self, magic: int | None = None, reason: str = "close all", timeout_s: float = CLOSE_ALL_S
    ) -> Acknowledged:
        """Close every trade and cancel every opening order of a magic number (None: of all instances).

        May be repeated: what is being closed is not closed twice. Raises Retryable when the broker is away.
        """
        return cast(Acknowledged, self._calls.call(CloseAll(magic=magic, reason=reason), timeout_s))

    def synchronise(self, instance: str, market_ns: int, timeout_s: float) -> Synchronised:
        """Replay only: return the stream positions of an instance after everything before was worked in."""
        return cast(Synchronised, self._calls.call(Synchronise(instance=instance, market_ns=market_ns), timeout_s))

    def close(self) -> None:
        """Close the socket."""
        self._calls.close()
