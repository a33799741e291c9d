"""A broker that cannot be reached."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from atrader.errors import Retryable
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from broker_api.backoff import Backoff
from tests.support.fault_broker import FaultAdapter, Venue
from tests.support.gateways import GatewayBench

ATTEMPTS = 12


def test_a_broker_that_stays_away_is_asked_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses_s: list[float] = []
    adapter = FaultAdapter(Venue(), deque())
    bench = GatewayBench(tmp_path, lambda _: adapter)

    class Noted(Backoff):
        """Notes pauses instead of making them."""

        def pause_s(self) -> float:
            pauses_s.append(super().pause_s())
            return 0.0

    async def connect() -> None:
        if len(pauses_s) < ATTEMPTS:
            raise Retryable("maintenance")

    async def story() -> None:
        await bench.connect()
        monkeypatch.setattr(adapter, "connect", connect)
        bench.gateway.tasks.spawn(bench.gateway.stay_connected())
        adapter.disconnect()
        await bench.until(lambda: len(pauses_s) == ATTEMPTS, "attempts")
        await bench.until(bench.gateway.online.is_set, "the connection")
        await bench.stop()

    monkeypatch.setattr("broker_api.gateway.core.Backoff", Noted)
    asyncio.run(story())
    assert all(0.7 <= pause_s <= 1 for pause_s in pauses_s[:5])
    assert all(7 <= pause_s <= 10 for pause_s in pauses_s[-3:])


def test_a_broker_that_lets_in_and_breaks_at_once_is_asked_less_and_less_often_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses_s: list[float] = []
    adapter = FaultAdapter(Venue(), deque())
    bench = GatewayBench(tmp_path, lambda _: adapter)
    connect, connects = adapter.connect, 0

    def noted(backoff: Backoff, pause_s: Callable[[Backoff], float] = Backoff.pause_s) -> float:
        pauses_s.append(pause_s(backoff))
        return 0.0

    async def connect_and_break() -> None:
        nonlocal connects
        connects += 1
        await connect()
        if len(pauses_s) < ATTEMPTS:
            asyncio.get_running_loop().call_soon(adapter.disconnect)

    async def story() -> None:
        await bench.connect()
        monkeypatch.setattr(adapter, "connect", connect_and_break)
        bench.gateway.tasks.spawn(bench.gateway.stay_connected())
        adapter.disconnect()
        await bench.until(lambda: len(pauses_s) == ATTEMPTS, "attempts")
        await bench.stop()

    monkeypatch.setattr(Backoff, "pause_s", noted)
    asyncio.run(story())
    assert connects <= ATTEMPTS + 1, "the first attempt is at once, no other"
    assert all(7 <= pause_s <= 10 for pause_s in pauses_s[-3:])


class Away:
    """A gateway whose broker is away until somebody needs it, with a pause of an hour between attempts."""

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, needed: Callable[[GatewayBench], bool]
    ) -> None:
        self._adapter = FaultAdapter(Venue(), deque())
        self.bench = GatewayBench(directory, lambda _: self._adapter)
        self._monkeypatch, self._needed, self._refused = monkeypatch, needed, 0
        monkeypatch.setattr("broker_api.gateway.core.RECONNECT_S", 0.01)
        monkeypatch.setattr(Backoff, "pause_s", lambda _: 3600.0)

    async def lose_connection(self) -> None:
        """Break it, and wait until an attempt to connect has failed."""
        self._monkeypatch.setattr(self._adapter, "connect", self._connect)
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())
        self._adapter.disconnect()
        await self.bench.until(lambda: self._refused, "an attempt")

    async def connected(self) -> None:
        """Wait for the connection."""
        await self.bench.until(self.bench.gateway.online.is_set, "the connection", 20.0)

    async def _connect(self) -> None:
        if not self._needed(self.bench):
            self._refused += 1
            raise Retryable("maintenance")


@pytest.mark.parametrize(
    ("instance", "wanted"),
    [
        (None, TradingStates(TradingState.FLATTENING)),
        ("alpha", TradingStates(instances={"alpha": TradingState.FLATTENING})),
    ],
)
def test_whoever_wants_something_closed_has_the_broker_asked_without_a_long_pause(
    instance: str | None, wanted: TradingStates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(tmp_path, monkeypatch, lambda bench: bench.gateway.states.flattening(instance))

    async def story() -> None:
        await away.bench.connect()
        await away.bench.submit()
        await away.lose_connection()
        wanted.save(away.bench.home.trading_states)
        await away.connected()
        await away.bench.stop()

    asyncio.run(story())


def test_an_exit_that_waits_has_the_broker_asked_without_a_long_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(tmp_path, monkeypatch, lambda bench: bench.gateway.submitter.busy)

    async def story() -> None:
        await away.bench.connect()
        opened = await away.bench.submit()
        await away.lose_connection()
        closing = asyncio.ensure_future(away.bench.submit(action="close", trade_id=opened.client_id))
        await away.connected()
        await closing
        await away.bench.stop()
        assert not away.bench.recorder.trades[-1].is_open

    asyncio.run(story())
