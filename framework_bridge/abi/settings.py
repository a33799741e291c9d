"""The settings array: which of its 64 doubles means what, and what the library refuses in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from framework_bridge.abi.structures import SETTINGS

ADDITIONAL: Final = 40
"""The first so many settings mean what the strategy says."""


class Setting(IntEnum):
    """Settings of every strategy, by index."""

    IS_SPREAD_BETTING = 40  # 1: the loss of a lot is multiplied by the ask
    USE_SL = 41  # not 0: live, an open order without a stop makes the bar run again
    USE_TP = 42  # the same for a target
    RUN_EVERY_TICK = 43  # not 0: every call runs; 0: once a primary bar
    INSTANCE_MANAGEMENT = 44  # not read
    MAX_OPEN_ORDERS = 45  # rows of results, exactly
    IS_BACKTESTING = 46  # 1: no clock and time zone checks, no files, no second run after an order failed
    DISABLE_COMPOUNDING = 47  # 1: lots from ORIGINAL_EQUITY
    TIMED_EXIT_BARS = 48
    ORIGINAL_EQUITY = 49  # account currency
    OPERATIONAL_MODE = 50  # 0 nothing runs, 1 enabled, 2 monitor: not read by any strategy
    STRATEGY_INSTANCE_ID = 51  # our magic number
    INTERNAL_STRATEGY_ID = 52  # see `StrategyId`
    TIMEFRAME = 53  # minutes
    SAVE_TICK_DATA = 54  # not 0: the last 500 ticks go to a file
    ANALYSIS_WINDOW_SIZE = 55  # not read
    PARAMETER_SET_POOL = 56  # not read
    ACCOUNT_RISK_PERCENT = 57  # of equity, per trade
    MAX_DRAWDOWN_PERCENT = 58  # not read: the caller has to hold it
    MAX_SPREAD = 59  # price units; not read: the caller has to hold it
    SL_ATR_MULTIPLIER = 60
    TP_ATR_MULTIPLIER = 61
    ATR_AVERAGING_PERIOD = 62
    ORDERINFO_ARRAY_SIZE = 63  # orders passed, exactly


class StrategyId(IntEnum):
    """Strategies of version 4.5; every other number is refused."""

    RECORD_BARS = 19
    TAKEOVER = 26
    SCREENING = 27
    AUTOBBS = 29
    AUTOBBSWEEKLY = 30
    TRENDLIMIT = 31


AUTOBBS: Final = (
    *("ADJUSTPOINTS", "TP_MODE", "TREND_MODE", "RISK_CAP", "LONG_SHORT_MODE", "MAX_ACCOUNT_RISK", "KEYK", "RANGE"),
    *("MAX_STRATEGY_RISK", "MACRO_TREND", "EXECUTION_RATES", "ONE_SIDE", "IS_AUTO_MODE", "IS_ATREURO_RANGE"),
    *("STARTHOUR", "VIRTUAL_BALANCE_TOPUP", "STOP_MOVEBACK_SL", "SHELLINGTON_TP_MULTIPLIER"),
    *("SHELLINGTON_BUY_WON_TIMES", "SHELLINGTON_SELL_WON_TIMES", "BBS_WEEKLY_ATR_FACTOR"),
    *("BBS_4H_START_HOUR_OFFSET", "BBS_ENABLE_WEEKLY_ATR_VALIDATION", "STOPHOUR", "MACD_LEVEL"),
)
"""Names of the additional settings of `StrategyId.AUTOBBS`, ``AUTOBBS_`` left out, by index."""

_OTHER_STRATEGIES: Final = (
    *("SELECTED_STRATEGY_ID:0", "VOLATILITY_CALCULATION_MODE:1", "TL_ATR_MULTIPLIER:2", "USE_AFMTL:3"),
    *("SELECT_KANTU_SYSTEM_FILE:4", "DSL_BREAKEVEN_BARS:5", "DSL_TYPE:6", "DSL_EXIT_TYPE:7"),
    *("BBS_PERIOD:0", "BBS_DEVIATION:1", "BBS_ADJUSTPOINTS:2", "POSITION:3"),  # TakeOver
    *("DAILY_TREND:0", "ADJUSTPOINTS:1"),  # TrendLimit
    "RECORD_MODE:0",  # RecordBars
)

ADDITIONAL_INDEX: Final[Mapping[str, int]] = {
    **{f"ADDITIONAL_PARAM_{index + 1}": index for index in range(ADDITIONAL)},
    **{f"AUTOBBS_{name}": index for index, name in enumerate(AUTOBBS)},
    **{name: int(index) for name, index in (text.split(":") for text in _OTHER_STRATEGIES)},
}
"""Index of each additional setting by its key in presets."""

AUTOBBS_TREND_MODE: Final = ADDITIONAL_INDEX["AUTOBBS_TREND_MODE"]
_AUTOBBS_IDS: Final = (StrategyId.AUTOBBS, StrategyId.AUTOBBSWEEKLY, StrategyId.TRENDLIMIT)
_TREND_MODES: Final = frozenset(
    (0, 2, 3, 9, 10, *range(15, 19), 20, 21, *range(23, 27), 28, 30, 31, *range(33, 36), 102)
)
_NEVER_ENOUGH: Final = frozenset((0, 1))

_NOT_NEGATIVE: Final = (
    *(Setting.MAX_OPEN_ORDERS, Setting.TIMED_EXIT_BARS, Setting.STRATEGY_INSTANCE_ID, Setting.SL_ATR_MULTIPLIER),
    *(Setting.TP_ATR_MULTIPLIER, Setting.ATR_AVERAGING_PERIOD, Setting.ORDERINFO_ARRAY_SIZE),
)
_SWITCHES: Final = (Setting.IS_BACKTESTING, Setting.DISABLE_COMPOUNDING)
_MAX_INT: Final = 2**31 - 1


def settings_array(common: Mapping[Setting, float], additional: Mapping[int, float]) -> NDArray[np.float64]:
    """Lay settings out for the library; those not named are 0.

    Parameters
    ----------
    common : Mapping of Setting to float
        Settings of every strategy.
    additional : Mapping of int to float
        The strategy's own, by index below 40.

    Returns
    -------
    ndarray of float64, shape (64,)
        The array.

    Raises
    ------
    ConfigError
        At an index outside 0..39, or a value that the library answers with 3017.
    """
    values = np.zeros(SETTINGS)
    for index, value in additional.items():
        if not 0 <= index < ADDITIONAL:
            raise ConfigError(f"additional setting {index}: expected an index from 0 to {ADDITIONAL - 1}")
        values[index] = value
    for setting, value in common.items():
        values[setting] = value
    refuse_invalid(values)
    return values


def refuse_invalid(values: NDArray[np.float64]) -> None:
    """Raise where the library would answer 3017, naming the setting.

    Raises
    ------
    ConfigError
        At a value that is not finite, a negative one where none may be, or a switch that is neither 0 nor 1.
    """
    for index in np.flatnonzero(~np.isfinite(values)):
        raise ConfigError(f"{name_of(int(index))}: expected a number, was {values[index]}")
    for setting in _NOT_NEGATIVE:
        if not 0 <= values[setting] <= _MAX_INT:
            hint = ' (-1, "random" in MetaTrader, cannot be kept)' if setting is Setting.STRATEGY_INSTANCE_ID else ""
            raise ConfigError(f"{setting.name}: expected 0 or more, was {values[setting]:g}{hint}")
    for setting in _SWITCHES:
        if values[setting] not in (0, 1):
            raise ConfigError(f"{setting.name}: expected 0 or 1, was {values[setting]:g}")


def ends_process(strategy_id: int, trend_mode: float, used: Collection[int]) -> bool:
    """Tell whether the library would end its process for want of bars.

    AUTOBBS and its relatives read indices 0 to 5 (some modes 6); which of them a mode can do without nobody wrote down.
    What was seen is a crash with the first two alone.

    Parameters
    ----------
    strategy_id : int
        See `StrategyId`.
    trend_mode : float
        Setting `AUTOBBS_TREND_MODE`.
    used : collection of int
        Rates indices that are passed.
    """
    return strategy_id in _AUTOBBS_IDS and trend_mode in _TREND_MODES and _NEVER_ENOUGH.issuperset(used)


def name_of(index: int) -> str:
    """Return the name of a setting by its index."""
    return Setting(index).name if index >= ADDITIONAL else f"ADDITIONAL_PARAM_{index + 1}"
