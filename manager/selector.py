"""Lets instances open only in markets they are made for: judges bars, and writes what gateways obey."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.selection import SelectionConfig
from atrader.errors import AtraderError
from atrader.market import Bars
from atrader.selection.file import Selections
from atrader.selection.model import Selected
from atrader.selection.rule import judge
from data_layer.client import AsyncDataClient
from manager.history import History
from manager.plan import DATA_LAYER
from manager.supervisor import Supervisor

_LOOK_S: Final = 1.0
"""Between two looks; beats of the data layer, which say what bars there are, come as often."""


class Selector:
    """Keeps the selection of every instance that has one, and is the only writer of its file.

    The file is what counts: gateways read it before each decision, and a new manager goes on from it. While the data
    layer is away nothing is judged and everything stays as it is.

    Parameters
    ----------
    fleet : Supervisor
        Whose instances they are.
    home : Home
        Where the file is.
    data : AsyncDataClient
        Gives the bars.
    history : History
        Told of every switch, at least once.

    Attributes
    ----------
    selections : Selections
        As they are on the disk.
    """

    def __init__(
        self, fleet: Supervisor, home: Home, data: AsyncDataClient, history: History, log: FilteringBoundLogger
    ) -> None:
        self._fleet = fleet
        self._path = home.selection
        self._data = data
        self._history = history
        self._log = log
        self.selections = Selections.load(self._path)
        self._subscribed: set[tuple[str, str]] = set()
        self._data_pid: int | None = None
        self._trouble: dict[str, str] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Judge the bars that came since the last look; on disk when this returns. May be repeated."""
        self.align()
        process = self._fleet.processes[DATA_LAYER]
        if not self._fleet.is_running(DATA_LAYER) or process.last_beat is None:
            return
        if process.pid != self._data_pid:  # another life of it builds what it is asked for again
            self._data_pid = process.pid
            self._subscribed.clear()
        found = dict(self.selections.instances)
        for config, selection in self._selecting():
            if (before := found.get(config.name)) is not None:  # else the disk did not take it
                found[config.name] = await self._judged(before, config, selection, process.last_beat.latest)
        self._keep(found)
        self._tell()

    def align(self) -> None:
        """Forget instances that select no more; who is new opens nothing until its market was judged."""
        known = self.selections.instances
        self._keep(
            {
                config.name: known.get(config.name) or Selected.before_any_bar(selection)
                for config, selection in self._selecting()
            }
        )

    def _selecting(self) -> list[tuple[InstanceConfig, SelectionConfig]]:
        instances = self._fleet.installation.instances.values()
        return [(config, config.selection) for config in instances if config.selection is not None]

    async def _judged(
        self, before: Selected, config: InstanceConfig, selection: SelectionConfig, latest: dict[str, int]
    ) -> Selected:
        series = (config.instrument, selection.timeframe or config.timeframe)
        if series in self._subscribed and latest.get("|".join(series), 0) <= before.bar_ns:
            return before
        try:
            bars = await self._bars(series, selection.detector.window_bars)
            after = judge(selection, before, bars)
        except (AtraderError, ValueError) as error:  # ValueError: a bar that is none; the next one may be
            self._complain(config.name, str(error))
            return before
        self._trouble.pop(config.name, None)
        return after

    async def _bars(self, series: tuple[str, str], count: int) -> Bars:
        if series not in self._subscribed:
            await self._data.subscribe_bars(*series)
        bars, _, _ = await self._data.bars(*series, count=count, mapped=False)
        self._subscribed.add(series)
        return bars

    def _tell(self) -> None:
        """Record switches that the history does not know of."""
        told = dict(self.selections.instances)
        configs = self._fleet.installation.instances
        for name, one in told.items():
            if one.since_ns != one.told_ns:
                text = f"{name} is {one.state} by selection: {one.reason}"
                self._log.warning("selection", instance=name, text=text)
                whose = {"instance": name, "account": configs[name].account}
                self._history.event({"process": "manager", "kind": "selection", "text": text, **whose})
                told[name] = one._replace(told_ns=one.since_ns)
        self._keep(told)

    def _keep(self, instances: dict[str, Selected]) -> None:
        """Put another content on the disk; what could not be written is not so, and is tried again."""
        if not self.selections.damage and instances == self.selections.instances:
            return
        changed = replace(self.selections, instances=instances, damage="")
        try:
            changed.save(self._path)
        except OSError as error:
            self._complain(self._path.name, f"cannot be written, instances stay as they are: {error}")
            return
        self._trouble.pop(self._path.name, None)
        self.selections = changed

    def _complain(self, about: str, text: str) -> None:
        """Tell people once while it lasts."""
        if self._trouble.get(about) != text:
            self._trouble[about] = text
            self._fleet.warn(f"selection of {about}: {text}")
