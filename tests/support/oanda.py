"""An OANDA adapter in front of the simulator, over real sockets; a test commands the venue's prices and time."""

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from atrader.clock import MarketClock, SystemClock, parse_time
from atrader.configuration.account import AccountConfig
from atrader.instruments import KNOWN
from broker_api.adapter import AnyReport
from broker_api.gateway.budget import Budget
from broker_api.oanda.adapter import OandaAdapter
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, AccountSettings, Level, Limits, OandaSimulator
from tests.support.paper import TUESDAY

_LIQUIDITY = Decimal(100_000_000)
TOKEN_VARIABLE = "ATRADER_TEST_OANDA_TOKEN"


def oanda_config(sim: OandaSimulator, positions: str = "hedging", **more: Any) -> AccountConfig:
    """Return the account file of one of the simulator's accounts."""
    os.environ[TOKEN_VARIABLE] = sim.token
    account_id = HEDGING_ACCOUNT if positions == "hedging" else NETTING_ACCOUNT
    settings = {
        "account_id": account_id,
        "token": f"env:{TOKEN_VARIABLE}",
        "rest_url": sim.rest_url,
        "stream_url": sim.stream_url,
        "new_connections_per_s": 1000,
        **more.pop("oanda", {}),
    }
    return AccountConfig.model_validate(
        {"name": "oanda", "broker": "oanda", "positions": positions, "oanda": settings, **more}
    )


class NoJournal:
    """Knows no order: what the broker carries has to suffice."""

    def working(self, broker_id: str) -> str | None:
        return None

    def closing(self, broker_trade_id: str, units: Decimal) -> str | None:
        return None


class OandaBench:
    """The conformance suite's bench; `crash` makes a new adapter object over the same venue."""

    def __init__(self, path: Path, positions: str = "hedging", *, start: str = TUESDAY, **simulator: Any) -> None:
        self.positions = positions
        self.sim = OandaSimulator(
            [AccountSettings(NETTING_ACCOUNT), AccountSettings(HEDGING_ACCOUNT, hedging=True)],
            **{"start_ns": parse_time(start), "limits": Limits.loose(), "price_window_s": 0.0, **simulator},
        )
        self.clock = MarketClock(parse_time(start))

    async def start(self) -> None:
        await self.sim.__aenter__()
        self.sim.halt("GBP_USD")
        self.adapter = self.new_adapter()
        await self._connect()

    async def stop(self) -> None:
        await self.adapter.close()
        await self.sim.__aexit__(None, None, None)

    async def crash(self) -> None:
        await self.adapter.close()
        self.adapter = self.new_adapter()
        await self._connect()

    async def drive_prices(self, instrument: str, bid: str, ask: str, after_s: float = 1.0) -> Sequence[AnyReport]:
        self.sim.clock.advance(after_s)
        self.clock.advance(self.sim.clock.now())
        bids, asks = ([Level(Decimal(price), _LIQUIDITY)] for price in (bid, ask))
        self.sim.quote(instrument.replace("/", "_"), bids=bids, asks=asks)
        return ()

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def new_adapter(self, **more: Any) -> OandaAdapter:
        config = oanda_config(self.sim, self.positions, **more)
        host = SystemClock()
        return OandaAdapter(config, KNOWN, self.clock, host, Budget(None, host), NoJournal())

    async def _connect(self) -> None:
        await self.adapter.connect()
        await self.adapter.instruments()
