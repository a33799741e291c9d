"""A paper account whose prices and time a test commands."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atrader.clock import NS_PER_S, MarketClock, parse_time
from atrader.configuration.account import AccountConfig, PaperSettings
from atrader.configuration.home import Home
from atrader.instruments import KNOWN, Instrument
from atrader.market import Tick
from broker_api.adapter import AnyReport
from broker_api.paper import PaperAdapter

TUESDAY = "2024-06-04T10:00:00Z"


def paper_config(positions: str = "hedging", **paper: Any) -> AccountConfig:
    """Return an account without slippage unless asked for."""
    settings = {"slippage_pips": 0, **paper}
    top = {name: settings.pop(name) for name in ("currency", "currency_digits") if name in settings}
    return AccountConfig.model_validate(
        {"name": "paper", "broker": "paper", "positions": positions, "paper": settings, **top}
    )


class PaperBench:
    """A paper adapter, its clock and its home; `crash` goes on from what lies on the disk at that moment."""

    def __init__(
        self,
        directory: Path,
        positions: str = "hedging",
        *,
        start: str = TUESDAY,
        instruments: Mapping[str, Instrument] = KNOWN,
        **paper: Any,
    ) -> None:
        self.config = paper_config(positions, **paper)
        self.settings: PaperSettings = self.config.paper
        self.clock = MarketClock(parse_time(start))
        self._directory = directory
        self._instruments = instruments
        self._lives = 0
        self._last: dict[str, Tick] = {}
        self.adapter = self._new_adapter()

    async def start(self) -> None:
        await self.adapter.connect()

    async def stop(self) -> None:
        await self.adapter.close()

    async def crash(self) -> None:
        old, before = self.adapter, self.home.paper(self.config.name)
        self.adapter = self._new_adapter()
        after = self.home.paper(self.config.name)
        after.parent.mkdir(parents=True)
        # The files as kill -9 leaves them: no checkpoint, no farewell.
        for suffix in ("", "-wal"):
            if (source := before.with_name(before.name + suffix)).exists():
                shutil.copy(source, after.with_name(after.name + suffix))
        await old.close()
        await self.adapter.connect()
        # As the gateway does: the last prices of the data layer first. They must cause nothing a second time.
        assert list(self.adapter.on_ticks(list(self._last.values()))) == []

    async def drive_prices(self, instrument: str, bid: str, ask: str, after_s: float = 1.0) -> Sequence[AnyReport]:
        return self.quote(instrument, bid, ask, after_s)

    def quote(self, instrument: str, bid: str | float, ask: str | float, after_s: float = 1.0) -> Sequence[AnyReport]:
        self.clock.advance(self.clock.now_ns() + round(after_s * NS_PER_S))
        return self.tick(Tick(instrument, self.clock.now_ns(), self.clock.now_ns(), float(bid), float(ask)))

    def tick(self, tick: Tick) -> Sequence[AnyReport]:
        self.clock.advance(tick.time_ns)
        self._last[tick.instrument] = tick
        return self.adapter.on_ticks([tick])

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def _new_adapter(self) -> PaperAdapter:
        self._lives += 1
        self.home = Home(self._directory / f"life-{self._lives}")
        return PaperAdapter(self.config, self.home, self._instruments, self.clock)
