"""The gateway process of one account, started by the manager."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

from atrader.bus import AsyncStreamClient, BeatSender, CallServer, StreamServer
from atrader.clock import MarketClock, SystemClock
from atrader.configuration.account import AccountConfig
from atrader.errors import AtraderError, Retryable, StoreError
from atrader.market import Tick
from atrader.runtime.child import Child
from atrader.runtime.market_clock import market_clock
from broker_api.adapters import Surroundings, make_adapter, make_budget
from broker_api.gateway.account_view import AccountViews
from broker_api.gateway.beat_body import beat_body
from broker_api.gateway.calls import Calls
from broker_api.gateway.candles import Candles
from broker_api.gateway.core import RECONNECT_S, Gateway
from broker_api.gateway.market import Market
from broker_api.gateway.outbox import Outbox
from broker_api.gateway.own_prices import OwnPrices
from broker_api.journal import Attribution, Journal
from broker_api.prices import Quoting
from data_layer.client import AsyncDataClient

_LOOP_S = 0.2  # the main loop beats, and sends the stream's heartbeat, at least this often
_HEARTBEAT_S = 1.0
_AFTER_FILL_S = 0.5  # between a fill and its proof: fills come in groups, and a broker may count later than it fills
_PRICES_S = 1.0  # the data layer may be away: quotes come by stream then
_FINISH_S = 2.0  # for orders under way at the end
_FLUSH_S = 1.0  # for the outbox at the end; what is left is in the journal


def main(child: Child) -> None:
    """Run the gateway of one account until told to stop.

    The socket for calls opens when journal and broker are reconciled, or, when the broker is away, after half of the
    start-up grace: intents are then answered with `Retryable` until it is back. The data layer need not be there.

    Raises
    ------
    ConfigError
        When the account's broker is not known or refuses the configuration.
    StoreError
        When the journal is damaged, or another gateway owns the account (exit code LOCKED).
    InvariantBroken
        When journal and broker contradict each other in a way that cannot happen.
    """
    account = child.installation.accounts[child.spec.subject]
    child.run(lambda: _Process(child, account).run())


class _Process:
    """Puts the parts of one gateway together."""

    def __init__(self, child: Child, account: AccountConfig) -> None:
        self._child = child
        self._account = account
        self._clock = SystemClock()
        self._lockstep = child.installation.fleet.market.in_lockstep
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self._journal = Journal(child.home.journal(account.name))
        self._stream = StreamServer(child.home.endpoint(f"gateway.{account.name}.stream"))
        self._data = AsyncDataClient(child.home)
        self._outbox = Outbox(account.name, self._journal, self._data, child.log)
        self._gateway = self._make_gateway()
        self._push = BeatSender(child.home.endpoint("data.push"), child.spec.name)
        self._quotes = AsyncStreamClient(child.home.endpoint("data.stream"))
        self._market = Market(self._gateway, self._quotes, self._push if self._lockstep else None, child.spec.name)
        adapter = self._gateway.adapter
        self._prices = (
            OwnPrices(self._gateway, adapter, self._market, child.installation, self._push, self._clock)
            if isinstance(adapter, Quoting)
            else None
        )
        self._journal.on_commit = self._on_commit
        self._journal.on_trouble = self._on_trouble
        self._journal.on_damage = self._on_damage

    def _make_gateway(self) -> Gateway:
        child, account = self._child, self._account
        clock = market_clock(child.installation)
        budget = make_budget(account, self._clock)
        attribution = Attribution(self._journal.read)
        adapter = make_adapter(
            account, Surroundings(child.installation, child.home, clock, self._clock, budget, attribution)
        )
        return Gateway(
            child.installation, account, adapter, self._journal, self._stream, clock, self._clock,
            clock if self._lockstep else self._clock, budget, child.log, self._fail,
        )  # fmt: skip

    async def run(self) -> None:
        """Connect, answer, and end in order."""
        server = CallServer(
            self._child.home.endpoint(f"gateway.{self._account.name}.call"),
            {
                **Calls(self._gateway, self._prices, self._clock).handlers(),
                **AccountViews(self._gateway, lambda: self._outbox.lag, self._clock).handlers(),
                **self._candles().handlers(),
            },
            on_error=self._on_error,
        )
        try:
            await self._connect()
            await self._begin(server)
            await self._loop()
        finally:
            await self._end(server)
        if self._failure is not None:
            raise self._failure

    async def _connect(self) -> None:
        gateway, child = self._gateway, self._child
        if isinstance(gateway.clock, MarketClock):
            await self._replay_state()
        deadline_s = self._clock.monotonic_s() + child.limits.start_grace / 2
        while not child.stopping and self._failure is None:
            child.beat("starting", 0)
            try:
                return await gateway.connect()
            except Retryable as error:
                if self._clock.monotonic_s() >= deadline_s:
                    gateway.proof_watch.tell(error.message)
                    return
                await asyncio.sleep(min(RECONNECT_S, child.limits.start_grace / 20))

    async def _replay_state(self) -> str | None:
        """Ask where the replay is, and take its time; None when the data layer does not answer."""
        try:
            replay = await self._data.replay()
        except AtraderError as error:
            self._child.log.info("market-time-unknown", reason=error.message)
            return None
        if isinstance(self._gateway.clock, MarketClock):
            self._gateway.clock.advance(replay.market_ns)
        return replay.state

    async def _begin(self, server: CallServer) -> None:
        gateway, tasks = self._gateway, self._gateway.tasks
        if not self._lockstep:
            await self._take_prices()
        self._market.listen(gateway.valuation.instruments or self._child.installation.fleet.market.instruments)
        tasks.spawn(self._market.run())
        if self._prices is not None:
            tasks.spawn(self._prices.run())
        tasks.spawn(gateway.stay_connected())
        tasks.spawn(self._outbox.run())
        if not self._lockstep:
            tasks.spawn(self._take_turns())
        self._outbox.on_commit()  # rows of an earlier life
        if self._lockstep:
            await self._join_replay()
        await server.start()
        self._beat("ready")
        self._market.ready()

    async def _join_replay(self) -> None:
        """Wait for the present step of a replay under way, however long that takes.

        A replay that waits for us, or is over, has no present step. While nobody knows, nothing can be judged.
        """
        while not self._child.stopping and self._failure is None:
            self._child.beat("starting", 0)
            if await self._replay_state() in ("waiting", "finished") or await self._market.first_step(_PRICES_S):
                return

    def _candles(self) -> Candles:
        gateway, fleet = self._gateway, self._child.installation.fleet
        source = gateway.adapter.prices if isinstance(gateway.adapter, Quoting) else None
        return Candles(source, gateway.budget, lambda: gateway.valuation.instruments, fleet.calendar_of, self._clock)

    async def _take_prices(self) -> None:
        """Hand the last known quotes over; market orders need one."""
        try:
            async with asyncio.timeout(_PRICES_S):
                prices = await self._data.prices()
        except (AtraderError, TimeoutError) as error:
            self._child.log.info("prices-unknown", reason=str(error) or "no answer in time")
            return
        known = self._gateway.valuation.instruments
        self._gateway.on_ticks(
            [Tick(p.instrument, p.time_ns, p.received_ns, p.bid, p.ask) for p in prices if p.instrument in known]
        )

    async def _take_turns(self) -> None:
        while True:
            interval_s = self._gateway.account.proof_interval
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._gateway.proof_wanted.wait()
                    await asyncio.sleep(min(_AFTER_FILL_S, interval_s))
            self._gateway.proof_wanted.clear()
            await self._gateway.turn()

    async def _loop(self) -> None:
        stop = asyncio.ensure_future(self._child.stop_requested())
        heartbeat_due_s = 0.0
        try:
            while not stop.done() and self._failure is None:
                if (now_s := self._clock.monotonic_s()) >= heartbeat_due_s:
                    heartbeat_due_s = now_s + _HEARTBEAT_S
                    self._stream.heartbeat_when_due()
                    self._market.remind()
                    if self._prices is not None:
                        self._prices.remind()
                self._beat("ready")
                wake = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait((stop, wake), timeout=_LOOP_S, return_when=asyncio.FIRST_COMPLETED)
                wake.cancel()
        finally:
            stop.cancel()

    async def _end(self, server: CallServer) -> None:
        self._beat("draining")
        await self._gateway.stop(0.0 if self._failure else _FINISH_S)
        await server.close()
        if self._failure is None:
            await self._outbox.flush(_FLUSH_S)
        self._journal.close()
        await self._data.close()
        self._quotes.close()
        self._stream.close()
        self._push.close()

    def _beat(self, phase: str) -> None:
        self._child.beat(
            phase,
            self._market.worked + self._journal.counters["commits"],
            **beat_body(self._gateway),
            outbox_lag=self._outbox.lag,
            prices=None if self._prices is None else self._prices.state(),
        )

    def _on_commit(self) -> None:
        self._gateway.publisher.on_commit()
        self._outbox.on_commit()

    def _on_trouble(self, error: sqlite3.Error | None) -> None:
        if error is not None:
            self._child.log.warning("journal-full", reason=str(error), setting="make room on the disk")
        else:
            self._gateway.alerts.alert("journal-well", "the journal can be written again; it was full")

    def _on_damage(self, error: sqlite3.Error) -> None:
        self._fail(StoreError(f"the journal cannot go on: {error}"))

    def _on_error(self, error: BaseException, doing: str) -> None:
        self._child.log.error("call-failed", doing=doing, reason=str(error), exc_info=error)

    def _fail(self, error: BaseException) -> None:
        """Have the process end with an error; the first one counts."""
        if self._failure is None:
            self._failure = error
            self._wake.set()
