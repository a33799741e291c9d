"""What the history of trading is kept in and asked by, as words."""

from __future__ import annotations

from typing import Literal

HistoryTable = Literal["intents", "orders", "fills", "trades", "signals", "equity", "alerts", "events"]
"""Tables of the history that can be asked for."""

TradeGroup = Literal["instance", "magic", "account", "instrument", "side", "close_reason"]
"""What statistics put trades together by."""
