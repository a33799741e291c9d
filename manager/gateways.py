"""The manager's calls to gateways, and the trading-state file they obey."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from atrader.bus import CallClient
from atrader.configuration.home import Home
from atrader.errors import AtraderError, StoreError
from atrader.messages.gateway import RefreshTradingState
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from atrader.wire import Request

_TIMEOUT_S = 2.0


class Gateways:
    """One client per account, made when first needed.

    Parameters
    ----------
    home : Home
        Where their sockets and the trading-state file are.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._clients: dict[str, CallClient] = {}
        self.states = TradingStates.load(home.trading_states)

    async def call(self, account: str, request: Request, timeout_s: float = _TIMEOUT_S) -> Any:
        """Call the gateway of an account; raises as `CallClient.call` does."""
        client = self._clients.get(account)
        if client is None:
            client = self._clients[account] = CallClient(self._home.endpoint(f"gateway.{account}.call"))
        return await client.call(request, timeout_s)

    def read_states(self) -> TradingStates:
        """Return the states as the file has them: 'halt' writes it by itself when the manager does not answer."""
        self.states = TradingStates.load(self._home.trading_states)
        return self.states

    def open_gate(self) -> None:
        """Take back what the last stop left in the file; states set by people stay.

        A file is made where none is, if there is room: when the disk is full later, it can still be written over.

        Raises
        ------
        StoreError
            When the last stop cannot be taken back.
        """
        states = self.read_states()
        if states.stopping:
            self._save(TradingStates(states.fleet, states.accounts, states.instances))
        elif not self._home.trading_states.exists():
            with contextlib.suppress(StoreError):
                self._save(states)

    async def close_gate(self, running: list[str]) -> list[str]:
        """Let nothing open any more because the fleet stops; on disk first, then told to the gateways that run.

        Returns
        -------
        list of str
            Accounts whose gateway did not answer; they read the file before their next decision anyway.

        Raises
        ------
        StoreError
            When it cannot be written down; nobody was told.
        """
        states = TradingStates.load(self._home.trading_states)
        self._save(TradingStates(states.fleet, states.accounts, states.instances, stopping=True, damage=states.damage))
        return await self._refresh(running, timeout_s=0.5)

    async def set_state(self, scope: str, state: TradingState, running: list[str]) -> list[str]:
        """Set a trading state; on disk before anybody is told, so it survives whatever dies. May be repeated.

        Returns
        -------
        list of str
            Accounts whose gateway did not answer.

        Raises
        ------
        StoreError
            When the file cannot be written; nothing changed.
        """
        self._save(TradingStates.load(self._home.trading_states).with_state(scope, state))
        return await self._refresh(running, timeout_s=_TIMEOUT_S)

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            await client.close()

    def _save(self, states: TradingStates) -> None:
        states.save(self._home.trading_states)
        self.states = states

    async def _refresh(self, accounts: list[str], timeout_s: float) -> list[str]:
        calls = (self.call(account, RefreshTradingState(), timeout_s) for account in accounts)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, AtraderError):
                raise answer
        return [account for account, answer in zip(accounts, answers, strict=True) if isinstance(answer, AtraderError)]
