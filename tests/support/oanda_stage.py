"""A gateway's core over an OANDA adapter over real sockets, in front of a simulator in the same loop."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from atrader.clock import SystemClock, parse_time
from atrader.instruments import KNOWN
from atrader.orders.model import Order
from atrader.orders.states import IN_FLIGHT, OrderState
from broker_api.gateway.budget import Budget
from broker_api.journal import Attribution
from broker_api.oanda.adapter import OandaAdapter
from broker_api.oanda.rest import OandaRest
from broker_api.oanda.transport import HttpTransport
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, AccountSettings, Limits, OandaSimulator
from tests.support.gateways import START, GatewayBench
from tests.support.oanda import oanda_config

D = Decimal


class OandaStage:
    """One account at the simulator, one gateway over it; `person` acts on the account beside us.

    Parameters
    ----------
    root : Path
        Becomes the installation.
    positions : str
        Kind of the account.
    mt4 : bool
        Linked to MT4: the broker carries no ids of ours.
    guaranteed_mode : str
        Whether stops may, or must, be guaranteed ones.
    account : dict, optional
        Settings of our account file that differ; ``oanda`` is a table of its own.
    **simulator
        Of the simulator.
    """

    def __init__(
        self,
        root: Path,
        positions: str = "hedging",
        *,
        mt4: bool = False,
        guaranteed_mode: str = "ALLOWED",
        account: dict[str, Any] | None = None,
        **simulator: Any,
    ) -> None:
        hedging = positions == "hedging"
        self.account_id = HEDGING_ACCOUNT if hedging else NETTING_ACCOUNT
        self.settings = AccountSettings(
            self.account_id, hedging=hedging, mt4_id=123 if mt4 else None, guaranteed_mode=guaranteed_mode
        )
        self.sim = OandaSimulator(
            [self.settings],
            **{"start_ns": parse_time(START), "limits": Limits.loose(), "price_window_s": 0.0, **simulator},
        )
        self.defined = dict(KNOWN)  # the instruments of our configuration, from the next life on
        self._root = root
        self._positions = positions
        self._account = account or {}

    async def start(self) -> None:
        """Start simulator and gateway, and let intents through."""
        await self.sim.__aenter__()
        oanda = {"stream_silence": "300ms", "connect_timeout": "3s", **self._account.pop("oanda", {})}
        values = {
            "lookup_delays": ("10ms", "20ms", "40ms"),
            "lost_after": "150ms",
            "order_timeout": "8s",
            **self._account,
        }
        config = oanda_config(self.sim, self._positions, oanda=oanda, **values)
        settings = config.oanda
        assert settings is not None
        self.bench = GatewayBench(self._root, self.adapter_of)
        self.bench.config = config.model_copy(update={"name": "paper"})  # the name of the bench's account
        self.bench.installation = self.bench.installation.model_copy(update={"accounts": {"paper": self.bench.config}})
        self._hand = HttpTransport(settings, SystemClock())
        self.person = OandaRest(self._hand, settings)
        await self.connect()

    async def connect(self) -> None:
        """Begin a life of the gateway."""
        await self.bench.connect()
        self.quote("1.10000", "1.10010")
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())

    async def end_life(self) -> None:
        """End the gateway without ado; what is not on disk is gone, the simulator lives on."""
        await self.bench.gateway.submitter.stop()
        await self.bench.gateway.tasks.stop()
        self.bench.journal.abandon()
        await self.bench.adapter.close()

    async def stop(self) -> None:
        """End everything."""
        self.sim.faults.clear()
        await self.bench.stop()
        await self._hand.close()
        await self.sim.__aexit__(None, None, None)
        assert not self.bench.failures

    def quote(self, bid: str, ask: str, after_s: float = 1.0) -> None:
        """Let venue and gateway see a price, some seconds later."""
        self.sim.clock.advance(after_s)
        self.sim.quote("EUR_USD", bid, ask)
        self.bench.quote(float(bid), float(ask), after_s)

    def state_of(self, client_id: str) -> OrderState:
        """Return an order's state in the book."""
        entry = self.bench.gateway.book.entry(client_id)
        assert entry is not None
        return entry.order.state

    def reason_of(self, order: Order) -> str:
        """Return why an order is in the state that it is in."""
        entry = self.bench.gateway.book.entry(order.client_id)
        assert entry is not None
        return entry.order.reason

    async def decided(self, order: Order, deadline_s: float = 60.0) -> OrderState:
        """Wait for an order's outcome, or until it works."""
        await self.bench.until(lambda: self.state_of(order.client_id) not in IN_FLIGHT, "an outcome", deadline_s)
        return self.state_of(order.client_id)

    async def opened(self, **values: Any) -> Order:
        """Open a trade."""
        order = await self.bench.submit(**values)
        found = (await self.decided(order), self.reason_of(order))
        assert found == (OrderState.FILLED, ""), found
        return order

    def trade(self, order: Order) -> Any:
        """Return the open trade of an order; None when there is none."""
        return self.bench.gateway.book.ledger.trade(order.client_id)

    def ticket(self, order: Order) -> str:
        """Return the broker's id of an order's trade."""
        trade = self.trade(order)
        assert trade is not None
        return str(trade.broker_trade_id)

    def orders_of(self, client_id: str) -> int:
        """Return how many orders with a client id the venue made."""
        kinds = ("MARKET_ORDER", "LIMIT_ORDER", "STOP_ORDER")
        return sum(
            item["type"] in kinds and (item.get("clientExtensions") or {}).get("id") == client_id for item in self.log()
        )

    def log(self) -> list[dict[str, Any]]:
        """Return the venue's transactions."""
        return self.sim.account(self.account_id).log.since(0)

    async def proven(self) -> None:
        """Books and broker agree to the unit, and nobody failed."""
        gateway = self.bench.gateway
        await self.bench.until(gateway.online.is_set, "the gateway to be online")
        async with asyncio.timeout(60):
            while not await gateway.reconciler.run() or gateway.reconciler.breaks:
                await asyncio.sleep(0.02)
        real = self.sim.account(self.account_id).net_units("EUR_USD")
        assert gateway.book.ledger.net_units().get("EUR/USD", D(0)) == real
        assert not self.bench.failures

    def adapter_of(self, bench: GatewayBench) -> OandaAdapter:
        """Make the adapter of a life."""
        host = SystemClock()
        budget, attribution = Budget(None, host), Attribution(bench.journal.read)
        return OandaAdapter(bench.config, self.defined, bench.clock, host, budget, attribution)


def play(stage: OandaStage, story: Callable[[OandaStage], Coroutine[Any, Any, None]]) -> None:
    """Run a story from start to proof."""

    async def whole() -> None:
        await stage.start()
        try:
            await story(stage)
            await stage.proven()
        finally:
            await stage.stop()

    asyncio.run(whole())


def patience(fault: str) -> dict[str, Any]:
    """Return how long an answer is waited for: not long where none will come."""
    return {"order_timeout": "600ms"} if fault == "late-accept" or "hang" in fault else {}
