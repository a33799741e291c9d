"""The keys of ``.set`` presets and the places of their values in the settings of the C library. Data only."""

from __future__ import annotations

from typing import Final

MAX_SPREAD_PIPS: Final = "MAX_SPREAD_PIPS"
"""Has a place in the settings (59), but as a price: it takes the pip of the symbol to say it."""

COMMON: Final = {
    "IS_SPREAD_BETTING": 40,
    "USE_SL": 41,
    "USE_TP": 42,
    "RUN_EVERY_TICK": 43,
    "INSTANCE_MANAGEMENT": 44,
    "MAX_OPEN_ORDERS": 45,
    "IS_BACKTESTING": 46,
    "DISABLE_COMPOUNDING": 47,
    "TIMED_EXIT_BARS": 48,
    "ORIGINAL_EQUITY": 49,
    "OPERATIONAL_MODE": 50,
    "STRATEGY_INSTANCE_ID": 51,
    "INTERNAL_STRATEGY_ID": 52,
    "STRATEGY_TIMEFRAME": 53,
    "SAVE_TICK_DATA": 54,
    "ANALYSIS_WINDOW_SIZE": 55,
    "PARAMETER_SET_POOL": 56,
    "ACCOUNT_RISK_PERCENT": 57,
    "MAX_DRAWDOWN_PERCENT": 58,
    MAX_SPREAD_PIPS: 59,
    "SL_ATR_MULTIPLIER": 60,
    "TP_ATR_MULTIPLIER": 61,
    "ATR_AVERAGING_PERIOD": 62,
    "ORDERINFO_ARRAY_SIZE": 63,
}
"""Keys of every strategy."""

_AUTOBBS: Final = (
    *("ADJUSTPOINTS", "TP_MODE", "TREND_MODE", "RISK_CAP", "LONG_SHORT_MODE", "MAX_ACCOUNT_RISK", "KEYK", "RANGE"),
    *("MAX_STRATEGY_RISK", "MACRO_TREND", "EXECUTION_RATES", "ONE_SIDE", "IS_AUTO_MODE", "IS_ATREURO_RANGE"),
    *("STARTHOUR", "VIRTUAL_BALANCE_TOPUP", "STOP_MOVEBACK_SL", "SHELLINGTON_TP_MULTIPLIER"),
    *("SHELLINGTON_BUY_WON_TIMES", "SHELLINGTON_SELL_WON_TIMES", "BBS_WEEKLY_ATR_FACTOR", "BBS_4H_START_HOUR_OFFSET"),
    *("BBS_ENABLE_WEEKLY_ATR_VALIDATION", "STOPHOUR", "MACD_LEVEL"),
)
_OLD_NAMES: Final = {
    "SELECTED_STRATEGY_ID": 0,
    "VOLATILITY_CALCULATION_MODE": 1,
    "TL_ATR_MULTIPLIER": 2,
    "USE_AFMTL": 3,
    "SELECT_KANTU_SYSTEM_FILE": 4,
    "DSL_BREAKEVEN_BARS": 5,
    "DSL_TYPE": 6,  # of TakeOver as well
    "DSL_EXIT_TYPE": 7,
}
_OTHER_STRATEGIES: Final = {
    # TakeOver
    "BBS_PERIOD": 0,
    "BBS_DEVIATION": 1,
    "BBS_ADJUSTPOINTS": 2,
    "POSITION": 3,
    # TrendLimit
    "DAILY_TREND": 0,
    "ADJUSTPOINTS": 1,
    # RecordBars
    "RECORD_MODE": 0,
}
ADDITIONAL: Final = {
    **{f"AUTOBBS_{name}": index for index, name in enumerate(_AUTOBBS)},
    **_OLD_NAMES,
    **_OTHER_STRATEGIES,
    **{f"ADDITIONAL_PARAM_{number}": number - 1 for number in range(1, 41)},
}
"""Keys of one strategy each; several have the same place, since they belong to different strategies."""

FRONT_END: Final = frozenset(
    {
        *("FRAMEWORK_CONFIG", "USE_ORDER_WRAPPER", "ENABLE_SCREENSHOTS", "HISTORIC_DATA_ID", "MAX_SLIPPAGE_PIPS"),
        *("CUSTOM_ORDER_COMMENT", "USE_INSTANCE_BALANCE", "INIT_INSTANCE_BALANCE"),
    },
)
"""Keys that only the programs around the library read; so are those that begin with `FRONT_END_PREFIXES`."""

FRONT_END_PREFIXES: Final = ("UI_", "WFO_")
