"""What the old trader did wrong with an installation, and what happens now. A line only where it concerns it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from framework_bridge.abi.settings import StrategyId
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.old_config import OldAccount, OldStrategy, OldTrader
from framework_bridge.legacy.presets import Preset

_AUTOBBS: Final = (StrategyId.AUTOBBS, StrategyId.AUTOBBSWEEKLY, StrategyId.TRENDLIMIT)
_OLD_ORDERS: Final = 20
_MONITOR: Final = 2.0


def of_account(trader: OldTrader, account: OldAccount) -> Iterator[Finding]:
    """Yield what went wrong for an account as a whole."""

    def defect(key: str, text: str) -> Finding:
        return Finding(Kind.OLD_DEFECT, trader.file, account.line, f"{account.section}.{key}", text)

    if account.has_secrets:
        yield defect("password", "login and password stood in plain text; here they are references")
    if account.uses_streaming:
        yield defect("useStreaming", "streaming always failed at its first quote; here prices stream")
    if account.uses_wrapper:
        yield defect(
            "useOrderWrapper",
            "net orders were sent again each loop until they had filled, so a slow fill doubled them; closing all"
            " orders of an instance recorded one; here every order is written down before it is sent, once",
        )
    elif account.broker is not None and "oanda" not in account.broker.lower():
        yield defect("brokerName", "pending orders were refused and a missing stop became half the price")
    yield defect(
        "strategies",
        "the Friday close never began, outages of more than 10 bars left holes in the history, and the library was not"
        " told of them; here gaps are filled and the library is initialised again",
    )


def of_strategy(trader: OldTrader, strategy: OldStrategy, preset: Preset | None) -> Iterator[Finding]:
    """Yield what went wrong for one strategy."""

    def defect(file: str, line: int, key: str, text: str) -> Finding:
        return Finding(Kind.OLD_DEFECT, file, line, key, text)

    section = f"{strategy.section}.rateRequirements"
    if sum(one.symbol is not None for one in strategy.rates) > 1:
        text = "all rates indices got the bars loaded last; here each gets its own symbol and timeframe"
        yield defect(trader.file, strategy.line, section, text)
    if strategy.strategy_id in _AUTOBBS:
        yield defect(
            trader.file,
            strategy.line,
            f"{strategy.section}.strategyID",
            "'keep the stop' (-1) was taken for a distance: the target stood one unit below the price and the trade"
            " closed at once; here it is kept",
        )
    if preset is None:
        return
    values = preset.values
    for key, text in (
        ("MAX_SPREAD_PIPS", "was passed as a price, so there was no limit; here it holds, in pips"),
        ("MAX_DRAWDOWN_PERCENT", "was read by nobody; here it holds"),
    ):
        if values.get(key, 0.0) > 0:
            yield defect(preset.file, preset.lines[key], key, text)
    if values.get("DISABLE_COMPOUNDING"):
        text = "the original equity was passed as 0, so every order had 0.01 lots; here sizes are those of the preset"
        yield defect(preset.file, preset.lines["DISABLE_COMPOUNDING"], "DISABLE_COMPOUNDING", text)
    if values.get("MAX_OPEN_ORDERS", 0.0) > _OLD_ORDERS:
        text = f"the library was shown {_OLD_ORDERS} orders, the oldest first; here all, the newest first"
        yield defect(preset.file, preset.lines["MAX_OPEN_ORDERS"], "MAX_OPEN_ORDERS", text)
    if values.get("OPERATIONAL_MODE") == _MONITOR:
        text = "monitor mode traded all the same; here signals are recorded and nothing is sent"
        yield defect(preset.file, preset.lines["OPERATIONAL_MODE"], "OPERATIONAL_MODE", text)
    pair = (strategy.pair or "").upper()
    if "JPY" in pair or pair.startswith(("XAU", "XAG")):
        text = f"{pair} had 5 digits and a point of 0.00001; here it has its own"
        yield defect(trader.file, strategy.line, f"{strategy.section}.pair", text)
