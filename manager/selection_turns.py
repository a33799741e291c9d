"""When markets are judged: as bars come, or in the turns of a replay at full speed. Imported once somebody selects."""

from __future__ import annotations

import asyncio
from typing import Final

from atrader.bus import BeatSender
from atrader.configuration.home import Home
from atrader.errors import AtraderError
from atrader.market import SELECTION_PHASE, Bars, replay_topic
from data_layer.client import AsyncDataClient
from manager.plan import DATA_LAYER
from manager.selector import Selector, Series
from manager.supervisor import Supervisor
from worker.lockstep import Lockstep

_LOOK_S: Final = 1.0
"""Between two looks; beats of the data layer, which say what bars there are, come as often."""

_JOIN_S: Final = 0.1
_REMIND_S: Final = 1.0


async def judge_for_ever(fleet: Supervisor, selector: Selector, home: Home) -> None:
    """Judge until cancelled."""
    push = BeatSender(home.endpoint("data.push"), "manager")
    try:
        async with AsyncDataClient(home) as data:
            await SelectionTurns(fleet, selector, data, push).run()
    finally:
        push.close()


class SelectionTurns:
    """Lets a selector judge.

    Parameters
    ----------
    fleet : Supervisor
        Whose data layer brings the bars; while that is away nothing is judged and everything stays as it is.
    selector : Selector
        Who judges.
    data : AsyncDataClient
        Of the data layer.
    push : BeatSender
        To the data layer: turns of a replay are acknowledged through it.
    """

    def __init__(self, fleet: Supervisor, selector: Selector, data: AsyncDataClient, push: BeatSender) -> None:
        self._fleet = fleet
        self._selector = selector
        self._data = data
        self._push = push
        self._subscribed: set[Series] = set()
        self._turns: Lockstep | None = None  # of a replay
        self._life: int | None = None  # pid of the data layer that was asked for bars

    async def run(self) -> None:
        """Judge until cancelled."""
        async with asyncio.TaskGroup() as group:
            listening: asyncio.Task[None] | None = None
            while True:
                self._selector.align()
                fresh = await self._subscribe()
                # A restart of the fleet may have changed it.
                if self._fleet.installation.fleet.market.in_lockstep:
                    if self._selector.series and listening is None:
                        listening = group.create_task(self._take_turns())
                    self._join(is_new=bool(fresh))
                    await asyncio.sleep(_JOIN_S)
                else:
                    news = fresh | self._with_news()
                    if news and not await self._selector.judge(news, self._bars):
                        self._subscribed -= fresh  # judged by the next look, even if no bar comes until then
                    await asyncio.sleep(_LOOK_S)

    async def _bars(self, series: Series, count: int) -> Bars:
        bars, _, _ = await self._data.bars(*series, count=count, mapped=False)
        return bars

    def _with_news(self) -> set[Series]:
        """Return the series that have a bar which was not judged, as the last beat of the data layer knows."""
        beat = self._fleet.processes[DATA_LAYER].last_beat
        latest = {} if beat is None else beat.latest
        wanted = self._selector.series & self._subscribed
        return {one for one in wanted if latest.get("|".join(one), 0) > self._selector.judged_until(one)}

    async def _subscribe(self) -> set[Series]:
        """Ask the data layer for bars it was not asked for; return those that come from now on."""
        process = self._fleet.processes[DATA_LAYER]
        if not self._fleet.is_running(DATA_LAYER):
            return set()
        if process.pid != self._life:  # another life of it does not know what the one before was asked for
            self._life = process.pid
            self._subscribed.clear()
        fresh = set()
        for series in self._selector.series - self._subscribed:
            try:
                await self._data.subscribe_bars(*series)
            except AtraderError as error:  # the next look asks again; who waits for it stays as it is
                self._selector.complain(" ".join(series), str(error))
            else:
                fresh.add(series)
        self._subscribed |= fresh
        return fresh

    def _join(self, *, is_new: bool) -> None:
        """Tell a replay that we take part once the bars are built; again when it may be another data layer."""
        series = self._selector.series
        if not series or not series <= self._subscribed:
            return
        if is_new or self._turns is None:
            names = sorted("|".join(one) for one in series)
            self._turns = Lockstep(SELECTION_PHASE, self._push, names, listens=False)
            self._turns.ready()
        else:
            self._turns.remind(_REMIND_S)

    async def _take_turns(self) -> None:
        stream = self._data.stream()
        stream.subscribe(replay_topic(SELECTION_PHASE))
        try:
            async for items in stream:
                if (turns := self._turns) is None:
                    continue
                for turn in turns.turns(items):
                    is_done = await self._selector.judge(self._selector.series, self._bars)
                    if is_done:  # else the replay gives the turn again
                        turns.done(turn)
        finally:
            stream.close()
