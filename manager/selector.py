"""Lets instances open only in markets they are made for: judges bars, and writes what gateways obey."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from atrader.configuration.instance import InstanceConfig
from atrader.configuration.selection import SelectionConfig
from atrader.errors import AtraderError
from atrader.selection.file import Selections
from atrader.selection.model import Selected
from manager.history import History
from manager.supervisor import Supervisor

if TYPE_CHECKING:  # a manager of a fleet that selects nothing does without numpy
    from atrader.market import Bars

Series = tuple[str, str]
"""Instrument and timeframe."""

BarsOf = Callable[[Series, int], Awaitable["Bars"]]
"""Gives the last so many complete bars of a series."""


class Selector:
    """Keeps the selection of every instance that has one, and is the only writer of its file.

    The file is what counts: gateways read it before each decision, and a new manager goes on from it.

    Parameters
    ----------
    fleet : Supervisor
        Whose instances they are.
    path : Path
        Of the file.
    history : History
        Told of every switch, at least once.

    Attributes
    ----------
    selections : Selections
        As they are on the disk.
    """

    def __init__(self, fleet: Supervisor, path: Path, history: History, log: FilteringBoundLogger) -> None:
        self._fleet = fleet
        self._path = path
        self._history = history
        self._log = log
        self._trouble: dict[str, str] = {}
        self._stamp = _stamp_of(path)
        self.selections = Selections.load(path)

    def align(self) -> None:
        """Forget instances that select no more; who is new opens nothing until its market was judged.

        So does who is to be judged by other bars or preferences than before: what was decided says nothing of them.
        """
        known, kept = self.selections.instances, dict[str, Selected]()
        for config, selection, its in self._selecting():
            basis, one = _basis_of(selection, its), known.get(config.name)
            if one is None or one.basis != basis:
                one = Selected.before_any_bar(selection, basis)
            kept[config.name] = one
        self._keep(kept)

    @property
    def series(self) -> set[Series]:
        """The bars that are judged."""
        return {series for _, _, series in self._selecting()}

    def judged_until(self, series: Series) -> int:
        """Return up to which bar everybody judged a series: open time in UTC ns, 0 before the first."""
        until = [self.selections.instances.get(config.name) for config, _, its in self._selecting() if its == series]
        return min(0 if one is None else one.bar_ns for one in until)

    async def judge(self, series: Iterable[Series], bars_of: BarsOf) -> bool:
        """Judge the newest bars of some series; what comes of it is on the disk when this returns.

        Returns
        -------
        bool
            Whether all of it was done. What was not stays as it is, people are told, and this may be repeated.
        """
        from atrader.selection.rule import judge, window_bars

        wanted, found, done = set(series), dict[str, Selected](), True
        fetched: dict[tuple[Series, int], Bars] = {}
        for config, selection, its in tuple(self._selecting()):
            before = self.selections.instances.get(config.name)
            if its not in wanted or before is None:  # None: the disk did not take it
                continue
            key = its, window_bars(selection)
            try:
                if key not in fetched:
                    fetched[key] = await bars_of(*key)
                found[config.name] = judge(selection, before, fetched[key])
            except (AtraderError, ValueError) as error:
                self.complain(config.name, str(error))
                done = done and isinstance(error, ValueError)  # a price that is none: the next bar may have one
            else:
                self._trouble.pop(config.name, None)
        known = self.selections.instances  # a reload may have changed them meanwhile
        still = {name: one for name, one in found.items() if name in known and known[name].basis == one.basis}
        kept = self._keep({**known, **still})
        return kept and self._tell() and done

    def complain(self, about: str, text: str) -> None:
        """Tell people once while it lasts."""
        if self._trouble.get(about) != text:
            self._trouble[about] = text
            self._fleet.warn(f"selection of {about}: {text}")

    def _selecting(self) -> Iterator[tuple[InstanceConfig, SelectionConfig, Series]]:
        for config in self._fleet.installation.instances.values():
            if config.enabled and (selection := config.selection) is not None:
                yield config, selection, (config.instrument, selection.timeframe or config.timeframe)

    def _tell(self) -> bool:
        """Record switches that the history does not know of."""
        told = dict(self.selections.instances)
        configs = self._fleet.installation.instances
        for name, one in told.items():
            if one.since_ns != one.told_ns and name in configs:
                text = f"{name} is {one.state} by selection: {one.reason}"
                self._log.warning("selection", instance=name, text=text)
                whose = {"instance": name, "account": configs[name].account}
                self._history.event({"process": "manager", "kind": "selection", "text": text, **whose})
                told[name] = one._replace(told_ns=one.since_ns)
        return self._keep(told)

    def _keep(self, instances: dict[str, Selected]) -> bool:
        """Put another content on the disk; what could not be written is not so, and is tried again.

        A file that somebody else changed or removed is written again as well.
        """
        is_ours = not self.selections.damage and self._stamp == _stamp_of(self._path)
        if instances == self.selections.instances and is_ours:
            return True
        changed = Selections(instances)
        try:
            changed.save(self._path)
        except OSError as error:
            self.complain(self._path.name, f"cannot be written, instances stay as they are: {error}")
            return False
        self._trouble.pop(self._path.name, None)
        self.selections, self._stamp = changed, _stamp_of(self._path)
        return True


def _basis_of(selection: SelectionConfig, series: Series) -> str:
    return hashlib.sha256(f"{series} {selection.model_dump_json()}".encode()).hexdigest()[:16]


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever a file is written, None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
