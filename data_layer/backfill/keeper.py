"""Looks for missing bars by itself, again and again, and asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.clock import NS_PER_S, Clock
from atrader.configuration.sources import BackfillConfig
from atrader.errors import AtraderError, ConfigError, Rejected
from data_layer.backfill.jobs import Job, Priority
from data_layer.backfill.scheduler import Scheduler
from data_layer.backfill.watch import WatchList
from data_layer.live_market import LiveMarket
from data_layer.sources.budget import pause_after
from data_layer.sources.screener import Screener

_WHOLE_AGAIN_S: Final = 600.0
"""How often the whole live window is looked through, and not only what is new since it was found whole."""

_HISTORY_AGAIN_S: Final = 6 * 3600.0
"""How often deep history is looked through again: a gap may have come by an import that was undone."""


class Keeper:
    """Keeps the bars of the watched instruments whole.

    Parameters
    ----------
    config : BackfillConfig
        How often, and how far back.
    live : frozenset of str
        Sources whose new bars are the live ones.

    Attributes
    ----------
    open_trades : callable
        Returns the instruments of which trades are open.
    """

    def __init__(
        self,
        config: BackfillConfig,
        watch: WatchList,
        market: LiveMarket,
        scheduler: Scheduler,
        live: frozenset[str],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._config = config
        self._watch = watch
        self._market = market
        self._scheduler = scheduler
        self._live = live
        self._clock = clock
        self._log = log
        self._history_s: dict[str, float] = {}
        self._whole_s: dict[str, float] = {}
        self._last: dict[str, Job] = {}
        self.open_trades: Callable[[], Awaitable[Collection[str]]] = _none

    def prepare(self) -> None:
        """Let the instruments of live sources follow these, before anybody may ask."""
        for symbol in self._watch.all():
            self._follow(symbol)

    async def run(self) -> None:
        """Look for missing bars, for ever."""
        while True:
            if self._watch.leaving:
                self._watch.drop_closed(await self.open_trades())
            self.look()
            await asyncio.sleep(self._wait_s())

    def look(self) -> None:
        """Ask for what is missing now."""
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        for symbol in self._watch.all():
            source = self._scheduler.source_of(symbol, self._market.base)
            if source is None:
                continue
            self._follow(symbol)
            final_ns = now_ns - int(source.limits.settle_s * NS_PER_S)
            stored_ns = min(final_ns, self._market.built_until_ns(symbol))
            for start_ns, end_ns in self._market.doubts.take(symbol, stored_ns):
                self._ask(symbol, start_ns, end_ns, Priority.LIVE, replace=True)
            self._ask_live(symbol, now_ns, now_s)
            history = self._config.history
            if history is not None and now_s >= self._history_s.get(symbol, now_s):
                self._history_s[symbol] = now_s + _HISTORY_AGAIN_S
                self._ask(symbol, now_ns - int(history * NS_PER_S), now_ns, Priority.HISTORY)

    async def screen(self, screener: Screener, refresh_s: float) -> None:
        """Ask a screener again and again which instruments to keep; when it fails, the last list holds."""
        failures = 0
        while True:
            try:
                picked = await screener.pick()
            except AtraderError as error:  # busy, refused or locked out: each of them may be over next time
                failures += 1
                self._log.warning("screener-failed", reason=str(error))
                await asyncio.sleep(min(refresh_s, pause_after(failures, self._scheduler.rng)))
                continue
            failures = 0
            if picked.unknown:
                self._log.warning(
                    "screener-names-unknown-instruments",
                    keys=list(picked.unknown),
                    remedy="define them under [instruments], and their keys under [sources.NAME.instruments]",
                )
            try:
                self._watch.pick(picked.instruments, await self.open_trades())
            except OSError as error:
                self._log.warning("screener-list-not-kept", reason=str(error))
            self.look()
            await asyncio.sleep(refresh_s)

    def _wait_s(self) -> float:
        """Return how long until it is looked again: bars of a live source are asked for as soon as they are final."""
        wait_s = self._config.check
        now_ns = self._clock.now_ns()
        for symbol in self._watch.all():
            source = self._scheduler.source_of(symbol, self._market.base)
            if source is None or source.name not in self._live:
                continue
            due_ns = self._market.next_close_ns(symbol, now_ns - int(source.limits.settle_s * NS_PER_S))
            wait_s = min(wait_s, (due_ns - now_ns) / NS_PER_S + source.limits.settle_s)
        return max(wait_s, 0.01)

    def _follow(self, symbol: str) -> None:
        source = self._scheduler.source_of(symbol, self._market.base)
        if source is not None and source.name in self._live:
            self._market.follow(symbol)

    def _ask_live(self, symbol: str, now_ns: int, now_s: float) -> None:
        """Ask for the live window, or for what came after it was found whole."""
        start_ns = now_ns - int(self._config.live_window * NS_PER_S)
        last = self._last.get(symbol)
        if last is not None and last.state == "done" and now_s < self._whole_s[symbol]:
            start_ns = max(start_ns, last.end_ns)
        else:
            self._whole_s[symbol] = now_s + _WHOLE_AGAIN_S
        job = self._ask(symbol, start_ns, now_ns, Priority.LIVE)
        if job is not None:
            self._last[symbol] = job

    def _ask(self, symbol: str, start_ns: int, end_ns: int, priority: Priority, *, replace: bool = False) -> Job | None:
        try:
            return self._scheduler.request(symbol, self._market.base, start_ns, end_ns, priority, replace=replace)
        except Rejected:
            return None  # nothing of the range is past: next time
        except ConfigError as error:
            self._log.warning("backfill-refused", instrument=symbol, reason=str(error))
            return None


async def _none() -> Collection[str]:
    return ()
