"""The tester library, driven: a portfolio of systems over bars in memory, with every trade it makes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from framework_bridge.abi.codes import require_success
from framework_bridge.abi.library import CALLS, Version, load, read_version
from framework_bridge.abi.prototypes import declare
from framework_bridge.abi.tester_memory import TesterMemory
from framework_bridge.abi.tester_structures import ON_FINISHED, ON_SIGNAL, ON_UPDATE, TESTER, CTesterResult
from framework_bridge.abi.tester_values import CTesterEvent, CTesterOutcome, CTesterSystem, EventKind

SUPPORTED: Final = (1, 2)
"""Major and minor version whose interface this package describes."""


class CTesterLibrary:
    """``libCTesterFrameworkAPI.so`` of a user; one test at a time in a process.

    It reads ``./tmp/<SYMBOL>_<id>/AsirikuyConfig.xml``, else ``./config/AsirikuyConfig.xml``: the working directory
    decides. A crash of it ends the process.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigError
        When it is missing, for another machine, lacks functions, or has another version.
    """

    def __init__(self, path: Path) -> None:
        self._library = load(path)
        if lacking := declare(self._library, TESTER):
            raise ConfigError(f"library {path}: it is not the Asirikuy tester: it lacks {', '.join(sorted(lacking))}")
        self.version: Version = read_version(self._library.getCTesterFrameworkVersion)
        if self.version[:2] != SUPPORTED:
            known = ".".join(map(str, SUPPORTED))
            raise ConfigError(f"library {path}: version {self.version}; {known} is the one whose interface we know")

    def start(self, log: Path, severity: int = 4) -> None:
        """Open its log, once in a process.

        Raises
        ------
        LibraryError
            When it cannot.
        """
        with CALLS:
            returned = self._library.initCTesterFramework(str(log).encode(), severity)
        require_success(returned, f"tester with log {log}")

    def run_portfolio(
        self,
        systems: Sequence[CTesterSystem],
        *,
        currency: str,
        broker: str,
        reference: str,
        clock: WallClock,
        smallest_lot: float,
        on_progress: Callable[[float], object] | None = None,
    ) -> CTesterOutcome:
        """Run systems on one balance over their history.

        Blocks until the test ends.

        Parameters
        ----------
        systems : sequence of CTesterSystem
            At least one; their bars have the same times.
        currency : str
            The account's.
        broker, reference : str
            Rows of ``broker-tz.csv``.
        clock : WallClock
            The broker's.
        smallest_lot : float
            Smaller orders are refused.
        on_progress : callable, optional
            Called with the percentage done. What it raises ends nothing; it is raised when the test is over.

        Raises
        ------
        ConfigError
            When bars of the systems do not belong together, or two have the same number.
        """
        run = TesterMemory(systems, clock)
        notes = _Notes(on_progress)
        names = [system.symbol.encode() for system in systems]
        symbols = (ctypes.c_char_p * len(names))(*names)
        account_currency = ctypes.create_string_buffer(currency.encode(), 64)
        with CALLS:
            result = self._library.runPortfolioTest(
                0,
                *(run.settings, symbols, account_currency, broker.encode(), reference.encode()),
                *(run.accounts, run.test_settings.ctypes.data, run.infos),
                *(run.candles, len(systems), run.rates, smallest_lot),
                *(ON_UPDATE(notes.update), ON_FINISHED(notes.finished), ON_SIGNAL(notes.signal)),
            )
        if notes.failure is not None:
            raise notes.failure
        return _outcome(result, notes.events)


@dataclass
class _Notes:
    """What the callbacks were told. An exception must not leave them: C is above."""

    on_progress: Callable[[float], object] | None
    events: list[CTesterEvent] = field(default_factory=list)
    failure: BaseException | None = None

    def update(self, _test: int, percent: float, _order: object, _balance: float, _symbol: bytes) -> None:
        if self.on_progress is None or self.failure is not None:
            return
        try:
            self.on_progress(percent)
        except BaseException as error:  # noqa: BLE001 - raised again when the library has returned
            self.failure = error

    def finished(self, _result: CTesterResult) -> None:
        """Nothing: the same comes back as the function's value."""

    def signal(self, signal: Any) -> None:
        try:
            numbers = (signal.lots, signal.price, signal.sl, signal.tp, signal.profit, signal.balance)
            self.events.append(CTesterEvent(EventKind(signal.type), signal.time, signal.order_id, *numbers))
        except ValueError as error:
            self.failure = error


_NUMBERS: Final = tuple(name for name, kind, *_ in CTesterResult._fields_ if kind is ctypes.c_double)


def _outcome(result: Any, events: list[CTesterEvent]) -> CTesterOutcome:
    statistics = {name: float(getattr(result, name)) for name in _NUMBERS}
    counts = (result.total_trades, result.num_longs, result.num_shorts)
    return CTesterOutcome(*counts, result.final_balance, statistics, tuple(events))
