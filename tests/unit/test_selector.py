"""The manager's selector over real files: what it keeps, tells and mends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from atrader.bus import CallClient
from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.selection import SelectionConfig
from atrader.errors import DeadlineExceeded
from atrader.market import Bars
from atrader.runtime.outbox_file import OutboxFile
from atrader.selection.file import Selections
from atrader.selection.rule import window_bars
from atrader.trading_state import TradingState
from manager.gateways import Gateways
from manager.history import History
from manager.selector import Selector, Series
from manager.supervisor import Supervisor
from tests.support.price_series import make_prices

SERIES = ("EUR/USD", "1m")
TREND = {"phases": ["trend"], "confirm_bars": 1, "detector": {"adx_period": 5, "usual_bars": 20, "channel_bars": 10}}


def rising(count: int) -> Bars:
    """Minutes that only rise."""
    prices = make_prices("rising", 1, 100)
    bid = (prices.close, prices.high, prices.low, prices.close)
    times = np.arange(1, 101, dtype=np.int64) * 60_000_000_000
    return Bars(times, *bid, *bid, np.zeros(100))[:count]


class Desk:
    """A selector with its fleet, none of which runs."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.outbox = OutboxFile(self.home.data / "manager-outbox.jsonl")
        self.client = CallClient(self.home.endpoint("data.call"))
        self.history = History(self.outbox, self.client, SystemClock(), structlog.get_logger())
        self.gateways = Gateways(self.home)
        self.fleet = Supervisor(
            self.installation(),
            None,  # type: ignore[arg-type]  # nothing is started
            None,
            self.history,
            self.gateways,
            SystemClock(),
            structlog.get_logger(),
            random.Random(1),
        )
        self.bars = rising(60)
        self.refusal: Exception | None = None
        self.selector = self.again()

    def installation(self, **instances: Any) -> Installation:
        usual = {"strategy": "sma-cross", "account": "a", "instrument": "EUR/USD", "timeframe": "1m"}
        made = {name: {"name": name, "magic": n, **usual, **one} for n, (name, one) in enumerate(instances.items(), 1)}
        accounts = {"a": {"name": "a", "broker": "paper"}}
        return Installation.model_validate(
            {"home": str(self.home.root), "fleet": {}, "accounts": accounts, "instances": made}
        )

    def again(self) -> Selector:
        """Return the selector of another life of the manager."""
        return Selector(self.fleet, self.home.selection, self.history, structlog.get_logger())

    def judge(self) -> bool:
        async def bars_of(series: Series, count: int) -> Bars:
            assert (series, count) == (SERIES, window_bars(SelectionConfig.model_validate(TREND)))
            if self.refusal is not None:
                raise self.refusal
            return self.bars[-count:]

        return asyncio.run(self.selector.judge({SERIES}, bars_of))

    def close(self) -> None:
        async def close() -> None:
            await self.gateways.close()
            await self.client.close()
            await self.history.close()

        asyncio.run(close())

    def stored(self) -> dict[str, TradingState]:
        return {name: one.state for name, one in Selections.load(self.home.selection).instances.items()}

    def told(self, table: str) -> list[str]:
        return [str(row.body["text"]) for row in self.outbox.rows if row.table == table]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    made.fleet.installation = made.installation(one={"selection": TREND}, other={})
    made.selector.align()
    yield made
    made.close()


def test_who_selects_opens_nothing_until_its_market_was_judged(desk: Desk) -> None:
    assert desk.stored() == {"one": TradingState.REDUCING}
    assert desk.told("events") == []


def test_a_fleet_that_selects_nothing_has_no_file(tmp_path: Path) -> None:
    made = Desk(tmp_path / "plain")
    made.selector.align()
    made.close()
    assert not made.home.selection.exists()


def test_a_switch_is_stored_and_told_once_with_its_reason(desk: Desk) -> None:
    assert desk.judge()
    assert desk.judge()
    assert desk.stored() == {"one": TradingState.ACTIVE}
    (text,) = desk.told("events")
    assert text.startswith("one is ACTIVE by selection: market is trend-up (ADX ")


def test_a_manager_that_died_before_it_told_a_switch_tells_it_later(desk: Desk) -> None:
    desk.judge()
    untold = Selections({name: one._replace(told_ns=0) for name, one in desk.selector.selections.instances.items()})
    untold.save(desk.home.selection)
    desk.selector = desk.again()
    desk.judge()
    assert len(desk.told("events")) == 2
    desk.judge()
    assert len(desk.told("events")) == 2


def test_instances_that_select_no_more_are_forgotten(desk: Desk) -> None:
    desk.fleet.installation = desk.installation(one={"selection": TREND, "enabled": False}, other={})
    desk.selector.align()
    assert desk.stored() == {}


@pytest.mark.parametrize(
    "change",
    [{"instrument": "USD/JPY"}, {"timeframe": "5m"}, {"selection": {**TREND, "phases": ["range"]}}],
)
def test_what_was_decided_of_another_market_or_by_other_preferences_counts_no_more(
    desk: Desk, change: dict[str, Any]
) -> None:
    desk.judge()
    desk.fleet.installation = desk.installation(one={"selection": TREND, **change}, other={})
    desk.selector.align()
    assert desk.stored() == {"one": TradingState.REDUCING}
    desk.selector = desk.again()
    desk.fleet.installation = desk.installation(one={"selection": TREND, "parameters": {"fast": 3}}, other={})
    desk.selector.align()
    desk.judge()
    desk.selector.align()
    assert desk.stored() == {"one": TradingState.ACTIVE}


def test_what_was_judged_while_a_reload_changed_the_preferences_is_forgotten(desk: Desk) -> None:
    async def bars_of(series: Series, count: int) -> Bars:
        changed = {**TREND, "phases": ["range"]}
        desk.fleet.installation = desk.installation(one={"selection": changed}, other={})
        desk.selector.align()
        return desk.bars[-count:]

    asyncio.run(desk.selector.judge({SERIES}, bars_of))
    assert desk.stored() == {"one": TradingState.REDUCING}


@pytest.mark.parametrize("content", [None, "", '{"version": 1, "instances": {}}'])
def test_a_file_that_somebody_changed_is_as_it_was_after_the_next_look(desk: Desk, content: str | None) -> None:
    desk.judge()
    if content is None:
        desk.home.selection.unlink()
    else:
        desk.home.selection.write_text(content)
    desk.selector.align()
    assert desk.stored() == {"one": TradingState.ACTIVE}


def test_without_bars_everything_stays_and_people_are_told_once(desk: Desk) -> None:
    desk.judge()
    desk.refusal = DeadlineExceeded("the data layer did not answer")
    assert not desk.judge()
    assert not desk.judge()
    assert desk.stored() == {"one": TradingState.ACTIVE}
    assert desk.told("alerts") == ["selection of one: the data layer did not answer"]
    desk.refusal = None
    assert desk.judge()


def test_a_bar_that_is_none_does_not_hold_up_the_market(desk: Desk) -> None:
    close = desk.bars.close.copy()
    close[-1] = np.nan
    desk.bars = Bars(*desk.bars.columns[:4], close, *desk.bars.columns[5:])
    assert desk.judge()
    assert desk.stored() == {"one": TradingState.REDUCING}
    assert "expected finite numbers" in desk.told("alerts")[0]


def test_what_the_disk_does_not_take_is_not_so(desk: Desk) -> None:
    whole = desk.home.selection.read_bytes()
    desk.home.selection.unlink()
    desk.home.selection.mkdir()
    assert not desk.judge()
    assert desk.selector.selections.state_of("one", selects=True) is TradingState.REDUCING
    assert desk.told("events") == []
    assert desk.told("alerts")[0].startswith("selection of selection.json: cannot be written")
    desk.home.selection.rmdir()
    desk.home.selection.write_bytes(whole)
    assert desk.judge()
    assert desk.stored() == {"one": TradingState.ACTIVE}
