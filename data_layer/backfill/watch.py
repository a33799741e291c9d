"""Which instruments are kept up to date, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Literal

from structlog.typing import FilteringBoundLogger

Reason = Literal["feed", "strategy", "configured", "screener", "open-trade"]

_VERSION: Final = 1


class WatchList:
    """The instruments whose bars are kept: those of the configuration always, those of a screener while it names them.

    An instrument that leaves the screener's list while a trade in it is open stays until that is closed. The last list
    is kept in a file, so that a restart does not depend on the screener.

    Parameters
    ----------
    fixed : iterable of (str, reason)
        Instruments of the configuration.
    path : Path
        Where the screener's list is kept.
    """

    def __init__(self, fixed: Iterable[tuple[str, Reason]], path: Path, log: FilteringBoundLogger) -> None:
        self._fixed: dict[str, Reason] = {}
        for symbol, reason in fixed:
            self._fixed.setdefault(symbol, reason)
        self._path = path
        self._log = log
        self._picked = self._load()
        self._leaving: set[str] = set()

    def all(self) -> dict[str, Reason]:
        """Return the instruments, each with the first reason why it is kept."""
        held: dict[str, Reason] = dict.fromkeys(sorted(self._leaving), "open-trade")
        return {**held, **dict.fromkeys(self._picked, "screener"), **self._fixed}

    @property
    def leaving(self) -> bool:
        """Whether an instrument is kept for its open trade only."""
        return bool(self._leaving)

    def pick(self, symbols: Iterable[str], open_trades: Collection[str]) -> None:
        """Take what a screener names now.

        Parameters
        ----------
        open_trades : collection of str
            Instruments of which trades are open.

        Raises
        ------
        OSError
            When the list cannot be kept; it holds for this life of the process all the same.
        """
        picked = dict.fromkeys(symbols)
        gone = [symbol for symbol in self._picked if symbol not in picked]
        came = [symbol for symbol in picked if symbol not in self._picked]
        self._leaving = (self._leaving | set(gone)) - picked.keys()
        self.drop_closed(open_trades)
        if not came and not gone:
            return
        self._picked = list(picked)
        left = [symbol for symbol in gone if symbol not in self._leaving]
        self._log.info("screener-picked", count=len(picked), came=came, left=left, held=sorted(self._leaving))
        self._save()

    def drop_closed(self, open_trades: Collection[str]) -> None:
        """Let go of instruments that only an open trade held, when it is closed."""
        self._leaving &= set(open_trades)

    def _load(self) -> list[str]:
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self._log.warning("screener-list-damaged", file=str(self._path), reason=str(error))
            return []
        symbols = held.get("instruments") if isinstance(held, dict) and held.get("version") == _VERSION else None
        return [symbol for symbol in symbols if isinstance(symbol, str)] if isinstance(symbols, list) else []

    def _save(self) -> None:
        beside = self._path.with_suffix(".new")
        names = [*self._picked, *sorted(self._leaving)]
        beside.write_text(json.dumps({"version": _VERSION, "instruments": names}), encoding="utf-8")
        os.replace(beside, self._path)
