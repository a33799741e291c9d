"""``etc/atrader.toml`` of an import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atrader.instruments import KNOWN
from framework_bridge.legacy.monitor import OldMonitor
from framework_bridge.legacy.symbols import guessed_instrument
from framework_bridge.legacy.toml_text import toml_text

_LEVELS: Final = {1: "debug", 2: "info", 3: "warning", 4: "error", 5: "error"}


def fleet_text(
    instruments: Sequence[str],
    *,
    paper: bool,
    price_account: str | None,
    severity: int | None,
    monitor: OldMonitor | None,
) -> str:
    """Return the file.

    Parameters
    ----------
    instruments : sequence of str
        Everything that is traded or looked at.
    paper : bool
        Whether prices are synthetic.
    price_account : str, optional
        Who brings all prices, where several accounts could.
    severity : int, optional
        ``logSeverity`` of the old trader.
    monitor : OldMonitor, optional
        Has settings of logs as well.
    """
    log = {
        "level": _LEVELS.get(severity or 0) or (None if monitor is None else monitor.log_level),
        "max_file": None if monitor is None or monitor.log_bytes is None else f"{max(1, monitor.log_bytes // 1000)}KB",
        "files": None if monitor is None else monitor.log_files,
    }
    unknown = [symbol for symbol in instruments if symbol not in KNOWN]
    values: dict[str, object] = {
        "market": {
            "feed": "synthetic" if paper and instruments else "none",
            "instruments": list(instruments),
            "price_account": price_account,
        },
        "log": {key: value for key, value in log.items() if value is not None},
        "instruments": {symbol: _terms(symbol) for symbol in unknown},
    }
    comments = ["Written by atrader import-legacy."]
    if unknown:
        comments.append(f"The terms of {', '.join(unknown)} are guesses; those of a broker win.")
    return toml_text(comments, values)


def _terms(symbol: str) -> dict[str, object]:
    return guessed_instrument(symbol).model_dump(exclude={"symbol"})
