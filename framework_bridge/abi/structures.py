"""The structs that cross the boundary, as numpy dtypes. Field names are ours, order and sizes the library's."""

from __future__ import annotations

from typing import Final

from framework_bridge.abi.layout import record

SETTINGS: Final = 64
"""Doubles in the settings array."""

RATES_ARRAYS: Final = 10
"""Entries of `RATES_INFO` and arrays of `RATES` that every call takes."""

RATES: Final = record("CRates", 48, "open:f8@0 high:f8@8 low:f8@16 close:f8@24 volume:f8@32 time:i4@40")
"""One bar at the bid; ``time``, the last, is its open in seconds of the broker's wall clock read as UTC."""

ORDER_INFO: Final = record(
    "COrderInfo",
    120,
    """
    ticket:f8@0 instance_id:f8@8 type:f8@16 open_time:f8@24 close_time:f8@32 stop_loss:f8@40 take_profit:f8@48
    expiration:f8@56 open_price:f8@64 close_price:f8@72 lots:f8@80 profit:f8@88 commission:f8@96 swap:f8@104
    is_open:f8@112
    """,
)
"""One order; see `framework_bridge.abi.orders.OrderEntry`."""

RATES_INFO: Final = record(
    "CRatesInfo",
    56,
    """
    is_enabled:f8@0 required_timeframe:f8@8 total_bars_required:f8@16 actual_timeframe:f8@24 rates_array_size:f8@32
    point:f8@40 digits:f8@48
    """,
)
"""What one rates array holds; timeframes in minutes."""

RESULT: Final = record(
    "StrategyResults",
    80,
    """
    ticket_number:f8@0 trading_signals:f8@8 lots:f8@16 entry_price:f8@24 broker_sl:f8@32 broker_tp:f8@40
    internal_sl:f8@48 internal_tp:f8@56 use_trailing_sl:f8@64 expiration_time:f8@72
    """,
)
"""One row of results; see `framework_bridge.abi.results.ResultRow`."""

MQL5_RATES: Final = record(
    "Mql5Rates",
    64,
    "time:u8@0 open:f8@8 high:f8@16 low:f8@24 close:f8@32 tick_volume:i8@40 spread:long@48 real_volume:i8@56",
    packed=True,
)
"""A bar of the MetaTrader 5 entry point."""

MQL4_RATES: Final = record(
    "Mql4Rates", 44, "time:u4@0 open:f8@4 low:f8@12 high:f8@20 close:f8@28 volume:f8@36", packed=True
)
"""A bar of the MetaTrader 4 entry point: low comes before high."""

MQL4_STRING: Final = record("Mql4String", 16, "length:long@0 string:pointer@8")
"""A string of the MetaTrader 4 entry points: its length and the address of its bytes."""
