"""With what a life is run again: who it was, as it was configured then or is today, and what is played to it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from atrader.clock import parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.runtime.session_file import Life, unpacked
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from data_layer.offline import Market
from manager.backtests.loading import TICKS
from manager.backtests.request import Request
from manager.backtests.starting import maker_of
from manager.rerun.sessions import Recorded

_ANY_GAP_S: Final = 1e9  # the worker went through it, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A life and what it is run again with.

    Attributes
    ----------
    config, account
        Of then, or of today.
    installation : Installation
        Of today.
    quotes : str or None
        What is played; None: what the replay played, else stored quotes, else the finest bars.
    """

    recorded: Recorded
    config: InstanceConfig
    account: AccountConfig
    installation: Installation
    quotes: str | None

    def request(self, market: Market) -> Request:
        """Return what has to be loaded for the instance alone."""
        return Request(
            root=self.installation.home,
            account=self.account,
            instances=(self.config,),
            start_ns=self._start_ns(),
            end_ns=self.recorded.last_ns,
            quotes=self.quotes or self._quotes(market),
            max_gap_s=_ANY_GAP_S,
            signals="window",  # as the worker computed them
        )

    def strategy(self, request: Request) -> Strategy:
        """Return the strategy as it began, with the files that it went on from.

        Raises
        ------
        ConfigError
            When it cannot be made.
        """
        strategy = maker_of(self.config, request, self.installation.fleet)()
        strategy.run_again({Path(name): unpacked(text) for name, text in self.recorded.life.files.items()})
        return strategy

    def _start_ns(self) -> int | None:
        """Return when the first bar begins that is played: the one after the newest that was there.

        A worker that finds a newer bar than its checkpoint's handles that one, and hands over what was left at its
        price; where it has its checkpoint's bar still to come, that bar is the first.
        """
        life, fleet = self.recorded.life, self.installation.fleet
        calendar, frame = fleet.calendar_of(life.instrument), Timeframe.parse(life.timeframe)
        known_ns = life.newest_ns
        if 0 < life.bar_ns <= life.newest_ns and (life.bar_ns < life.newest_ns or self.recorded.pending):
            known_ns = calendar.bar_open(life.newest_ns - 1, frame)
        if known_ns:
            return calendar.next_bar_open(known_ns, frame)
        feed = fleet.market
        if life.market_ns or feed.feed != "replay" or feed.replay.start is None:
            handled = [bar.open_time_ns for bar in self.recorded.seen if bar.host_ns]  # one may have ended just before
            return min([life.market_ns, *handled]) or None
        return parse_time(feed.replay.start)

    def _quotes(self, market: Market) -> str | None:
        feed = self.installation.fleet.market
        if feed.feed == "replay":
            return TICKS if feed.replay.source == "ticks" else Timeframe.parse(feed.replay.timeframe).name
        page = market.tick_page(self.config.instrument, self.recorded.life.market_ns, self.recorded.end_ns)
        return TICKS if len(page.quotes.time_ns) else None


def as_recorded(config: InstanceConfig, life: Life) -> InstanceConfig:
    """Return an instance as it was when a life began; what an older release did not record is that of today."""
    then = config
    if life.instance:
        with contextlib.suppress(ValidationError):  # of another release: settings that are none any more
            then = InstanceConfig.model_validate({**life.instance, "parameters": life.parameters})
    changes = {
        "strategy": life.strategy,
        "instrument": life.instrument,
        "timeframe": life.timeframe,
        "parameters": life.parameters,
        "warmup_bars": life.window,
    }
    return then.model_copy(update=changes)


def account_as_recorded(account: AccountConfig, life: Life) -> AccountConfig:
    """Return an account with the limits and rules of when a life began, as far as they are recorded."""
    try:
        then = AccountConfig.model_validate({"name": account.name, "broker": "paper", **life.account})
    except ValidationError:
        return account
    return account.model_copy(update={name: getattr(then, name) for name in life.account})
