"""The client of the manager."""

from __future__ import annotations

from typing import Literal, cast

from atrader.bus import CallClient
from atrader.configuration.home import Home
from atrader.messages.gateway import (
    AccountAnswer,
    Acknowledged,
    Attach,
    CloseAll,
    GetAccount,
    InstanceDown,
    InstanceSnapshot,
    OrderAnswer,
    RefreshTradingState,
    Submit,
)
from atrader.orders.model import Intent
from broker_api.client.synchronous import CLOSE_ALL_S, READ_S, SUBMIT_S


class AsyncBrokerClient:
    """One gateway, asked from asyncio; any number of calls at a time. Semantics and errors as of `BrokerClient`."""

    def __init__(self, home: Home, account: str) -> None:
        self._calls = CallClient(home.endpoint(f"gateway.{account}.call"))

    async def submit(self, intent: Intent, timeout_s: float = SUBMIT_S) -> OrderAnswer:
        """Hand an intent over; see `BrokerClient.submit`."""
        return cast(OrderAnswer, await self._calls.call(Submit(intent=intent), timeout_s))

    async def attach(self, instance: str, magic: int, since_ns: int, timeout_s: float = READ_S) -> InstanceSnapshot:
        """Return everything an instance owns."""
        request = Attach(instance=instance, magic=magic, since_ns=since_ns)
        return cast(InstanceSnapshot, await self._calls.call(request, timeout_s))

    async def account(self, timeout_s: float = READ_S) -> AccountAnswer:
        """Return the account."""
        return cast(AccountAnswer, await self._calls.call(GetAccount(), timeout_s))

    async def close_all(
        self, magic: int | None = None, reason: str = "close all", timeout_s: float = CLOSE_ALL_S
    ) -> Acknowledged:
        """Close and cancel everything of a magic number, or of all instances."""
        return cast(Acknowledged, await self._calls.call(CloseAll(magic=magic, reason=reason), timeout_s))

    async def instance_down(
        self,
        instance: str,
        magic: int,
        policy: Literal["keep", "reduce", "flatten"],
        timeout_s: float = CLOSE_ALL_S,
    ) -> Acknowledged:
        """Report that an instance's worker stays away, with the policy to apply. May be repeated."""
        request = InstanceDown(instance=instance, magic=magic, policy=policy)
        return cast(Acknowledged, await self._calls.call(request, timeout_s))

    async def refresh_trading_state(self, timeout_s: float = READ_S) -> Acknowledged:
        """Have the trading-state file read now; without this the gateway reads it before its next decision."""
        return cast(Acknowledged, await self._calls.call(RefreshTradingState(), timeout_s))

    async def close(self) -> None:
        """Close the socket."""
        await self._calls.close()
