"""A whole account at the simulated OANDA in one process: venue, gateway, history, workers; each can die.

Waiting takes no time (`SkippingLoop`), so all time-outs and pauses are those of the product. Sockets, journal and
history files are real.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import structlog

from atrader.clock import NS_PER_S
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.home import Home
from atrader.errors import AtraderError, Rejected, StoreError
from atrader.market import Tick
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from atrader.orders.model import Intent, Order
from broker_api.adapters import Surroundings, make_adapter, make_budget
from broker_api.gateway.core import Gateway
from broker_api.gateway.outbox import Outbox
from broker_api.journal import Attribution, Journal
from data_layer.store.history_sqlite import SqliteHistoryStore
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, AccountSettings, Limits, OandaSimulator
from tests.support.gateways import Recorder, instance_config
from tests.support.skipping_loop import Life, LoopClock, SkippingLoop, kill, living

TICK_S: Final = 0.25
"""How often the venue's clock moves."""
BREAK_S: Final = 5.0
"""How long the sum of all trades may differ from the position before that is a break."""
DEADLINE_S: Final = 600.0
TOKEN_NAME: Final = "ATRADER_TEST_OANDA_TOKEN"
WorkerOrder = tuple[Order, bool]


class HistoryLink:
    """The data layer as an outbox knows it: a real history store, and a connection to it that may be cut."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteHistoryStore(path, "test")
        self.fault: Literal["", "away", "no-answer"] = ""

    async def append_history(self, source: str, rows: Sequence[OutboxRow]) -> int:
        """Store rows; where the data layer dies before or after it did, nobody answers."""
        if self.fault == "away":
            raise StoreError("no data layer")
        (stored,) = self.store.append([(source, rows)])
        if self.fault == "no-answer":
            self.fault = ""
            raise StoreError("it died before it answered")
        return stored

    async def last_seq(self, source: str) -> int:
        """Return the highest number on disk."""
        if self.fault == "away":
            raise StoreError("no data layer")
        return self.store.last_seq(source)

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """Return everything in a table."""
        return self.store.query(QueryHistory(table=table, limit=100_000))


class OandaWorld:
    """One account, its gateway in as many lives as a test wants, and two workers that ask until they are answered.

    Parameters
    ----------
    loop : SkippingLoop
        Everything runs in it.
    root : Path
        Becomes the installation. The environment has the simulator's token under `TOKEN_NAME`.
    hedging : bool
        The account's kind.
    start_ns : int
        Where the clocks begin.
    skew_s : float
        How far the venue's clock is ahead of ours.
    """

    def __init__(self, loop: SkippingLoop, root: Path, *, hedging: bool, start_ns: int, skew_s: float = 0.0) -> None:
        self.root = root
        self.account_id = HEDGING_ACCOUNT if hedging else NETTING_ACCOUNT
        settings = [AccountSettings(self.account_id, hedging=hedging)]
        skewed_ns = start_ns + int(skew_s * NS_PER_S)
        self.sim = OandaSimulator(settings, start_ns=skewed_ns, limits=Limits.loose(), price_window_s=0)
        self.clock = LoopClock(loop, start_ns)
        self.hedging = hedging
        self.history = HistoryLink(root / "history.db")
        self.recorder = Recorder()
        self.failures: list[BaseException] = []
        self.wanted: list[Intent] = []
        self.answers: dict[str, Order | Rejected] = {}
        self.quoted = (Decimal("1.10000"), Decimal("1.10010"))
        self.quoted_ns: list[int] = []
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._counts: Counter[int] = Counter()
        self._ticker: asyncio.Task[None] | None = None
        self._agreed_s = self._drawn = 0.0

    # -- lives

    async def begin(self) -> None:
        """Open the venue, and the gateway's first life."""
        await self.sim.__aenter__()
        self._ticker = asyncio.create_task(self._tick())
        self.config = self._account()
        instances = (instance_config("alpha", 7), instance_config("beta", 8))
        self.installation = Installation(
            home=str(self.root),
            fleet=FleetConfig(),
            accounts={self.config.name: self.config},
            instances={item.name: item for item in instances},
        )
        await self.start_gateway()
        await self.until(self.gateway.online.is_set, "a first connection")  # what was before it is no fill to us

    def _account(self) -> AccountConfig:
        return AccountConfig.model_validate(
            {
                "name": "paper",  # what `instance_config` trades on
                "broker": "oanda",
                "proof_interval": "3s",
                "positions": "hedging" if self.hedging else "netting",
                "oanda": {
                    "account_id": self.account_id,
                    "token": f"env:{TOKEN_NAME}",
                    "rest_url": self.sim.rest_url,
                    "stream_url": self.sim.stream_url,
                    "new_connections_per_s": 1000,
                },
            }
        )

    async def start_gateway(self) -> None:
        """Begin a life: journal, core, outbox; it connects when the broker lets it."""
        self.life: Life = Life()
        with living(self.life):
            asyncio.create_task(self._live())  # noqa: RUF006 - the life holds it, and so does the loop while it runs
        await self.until(lambda: hasattr(self, "gateway") and not self._dead, "a gateway")

    _dead = True

    async def _live(self) -> None:
        home, account = Home(self.root), self.config
        self.journal = Journal(home.journal(account.name))
        budget = make_budget(account, self.clock)
        around = Surroundings(self.installation, home, self.clock, self.clock, budget, Attribution(self.journal.read))
        self.adapter = make_adapter(account, around)
        self.gateway = Gateway(
            self.installation, account, self.adapter, self.journal, self.recorder, self.clock, self.clock, self.clock,
            budget, structlog.get_logger(), self.failures.append,
        )  # fmt: skip
        self.outbox = Outbox(account.name, self.journal, self.history, structlog.get_logger())
        self.journal.on_commit = self._on_commit
        gateway, tasks = self.gateway, self.gateway.tasks
        self.outbox.on_commit()
        tasks.spawn(self.outbox.run())
        tasks.spawn(gateway.stay_connected())
        tasks.spawn(self._turns())
        self._dead = False
        self.quote()
        for intent in self.wanted:  # the workers hand over again what they have no answer to
            if intent.client_id not in self.answers:
                self.hand_over(intent)

    def _on_commit(self) -> None:
        self.gateway.publisher.on_commit()
        self.outbox.on_commit()

    async def _turns(self) -> None:
        while True:
            await asyncio.sleep(self.config.proof_interval)
            await self.gateway.turn()

    async def kill_gateway(self) -> None:
        """End its life as kill -9 would, as far as one process can: nothing that waits is written, nobody is told."""
        self._dead = True
        self.journal.abandon()
        await kill(self.life)
        await self.adapter.close()
        await self.start_gateway()

    async def kill_workers(self) -> None:
        """End those who wait for answers; their next lives hand the same intents over."""
        waiting = list(self._waiting.values())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for intent in self.wanted:
            if intent.client_id not in self.answers:
                self.hand_over(intent)

    async def end(self) -> None:
        """End everything in order."""
        for task in self._waiting.values():
            task.cancel()
        await self.gateway.stop(1.0)
        self.journal.close()
        await kill(self.life)
        if self._ticker is not None:
            self._ticker.cancel()
        await self.sim.__aexit__(None, None, None)
        self.history.store.close()
        await kill(Life(asyncio.all_tasks() - {asyncio.current_task()}))

    # -- the market

    async def _tick(self) -> None:
        last_ns = self.clock.now_ns()
        while True:
            await asyncio.sleep(TICK_S)
            now_ns = self.clock.now_ns()
            await self.sim.advance((now_ns - last_ns) / NS_PER_S)
            last_ns = now_ns
            self._watch_proof()

    def _watch_proof(self) -> None:
        """Note a position that differs from the ledger for longer than a break may take, while the broker answers."""
        now_s, drawn = self.clock.monotonic_s(), len(self.sim.faults.drawn)
        net = self.sim.account(self.account_id).net_units("EUR_USD")
        known = (
            self._dead
            or not self.gateway.online.is_set()
            or self.sim.faults.maintenance
            or drawn != self._drawn
            or self.gateway.reconciler.breaks
            or self.gateway.book.ledger.net_units() == ({"EUR/USD": net} if net else {})
        )
        self._drawn = drawn
        if known:
            self._agreed_s = now_s
        elif now_s - self._agreed_s > BREAK_S:
            self.failures.append(AssertionError(f"{net} at the broker, {self.gateway.book.ledger.net_units()} here"))

    def quote(self, pips: int = 0, instrument: str = "EUR/USD") -> None:
        """Move the price, at the venue and, by its own way, at the gateway."""
        self.quoted_ns.append(self.sim.clock.now())
        step = Decimal(pips) / 10_000
        self.quoted = (self.quoted[0] + step, self.quoted[1] + step)
        bid, ask = self.quoted
        self.sim.quote(instrument.replace("/", "_"), bid, ask)
        if not self._dead:
            now_ns = self.clock.now_ns()
            with living(self.life):
                self.gateway.on_ticks([Tick(instrument, now_ns, now_ns, float(bid), float(ask))])

    # -- workers

    def intent(self, magic: int, **values: Any) -> Intent:
        """Return the next intent of a worker."""
        self._counts[magic] += 1
        intent = Intent(
            magic=magic,
            n=self._counts[magic],
            instance={7: "alpha", 8: "beta"}[magic],
            instrument="EUR/USD",
            time_ns=self.clock.now_ns(),
            **values,
        )
        self.wanted.append(intent)
        return intent

    def hand_over(self, intent: Intent) -> None:
        """Hand an intent over until it is answered."""
        with living(self.life):
            self._waiting[intent.client_id] = asyncio.create_task(self._ask(intent))

    async def _ask(self, intent: Intent) -> None:
        while True:
            try:
                order, _ = await self.gateway.submitter.submit(intent)
            except Rejected as error:
                self.answers[intent.client_id] = error
                return
            except AtraderError:
                await asyncio.sleep(0.5)
            else:
                self.answers[intent.client_id] = order
                return

    # -- a person at the broker's own screen

    async def by_hand(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Send a request as a person would whose program knows nothing of us; what is answered does not matter."""
        headers = {"Authorization": f"Bearer {self.sim.token}"}
        async with httpx.AsyncClient(base_url=self.sim.rest_url, headers=headers, timeout=5.0, verify=False) as client:
            with contextlib.suppress(httpx.HTTPError):
                await client.request(method, f"/v3/accounts/{self.account_id}{path}", json=body)

    # -- waiting

    async def pass_time(self, seconds: float) -> None:
        """Let it run."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for a condition."""
        deadline_s = self.clock.monotonic_s() + DEADLINE_S
        while not condition():
            assert self.clock.monotonic_s() < deadline_s, what
            await asyncio.sleep(0.1)
