"""Structs that the library keeps to itself, as far as its limits follow from them, and the file it writes of one."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from atrader.errors import StoreError
from framework_bridge.abi.layout import record

ORDER: Final = record(
    "OrderInfo",
    80,
    """
    ticket:i4@0 instance_id:i4@4 type:i4@8 open_time:i8@16 close_time:i8@24 stop_loss:f4@32 take_profit:f4@36
    expiration:i8@40 open_price:f4@48 close_price:f4@52 lots:f4@56 profit:f4@60 commission:f4@64 swap:f4@68
    is_open:i4@72
    """,
)
"""An order inside: tickets have 32 bits, prices seven digits."""

RATES_INFO: Final = record(
    "RatesInfo", 32, "is_enabled:i4@0 is_buffer_full:i4@4 timeframe:i4@8 array_size:i4@12 point:f8@16 digits:i4@24"
)
RATES: Final = record(
    "Rates",
    80,
    "info:info@0 time:pointer@32 open:pointer@40 high:pointer@48 low:pointer@56 close:pointer@64 volume:pointer@72",
    info=RATES_INFO,
)
RATES_BUFFERS: Final = record(
    "RatesBuffers", 848, "instance_id:i4@0 buffer_offsets:i4*10@4 rates:rates*10@48", rates=RATES
)
BID_ASK: Final = record(
    "BidAsk",
    56,
    "array_size:i4@0 bid:pointer@8 ask:pointer@16 base_bid:f8@24 base_ask:f8@32 quote_bid:f8@40 quote_ask:f8@48",
)
ACCOUNT: Final = record(
    "AccountInfo",
    104,
    """
    broker_name:pointer@0 reference_name:pointer@8 currency:pointer@16 account_number:i4@24 balance:f8@32
    equity:f8@40 margin:f8@48 leverage:f8@56 contract_size:f8@64 minimum_stop:f8@72 stopout_percent:f8@80
    total_open_trade_risk_percent:f8@88 largest_drawdown_percent:f8@96
    """,
)
STRATEGY_PARAMETERS: Final = record(
    "StrategyParams",
    216,
    """
    parameter_info:pointer@0 trade_symbol:pointer@8 broker_time:i8@16 rates_buffers:pointer@24 bid_ask:bid_ask@32
    account:account@88 order_info:pointer@192 settings:pointer@200 results:pointer@208
    """,
    bid_ask=BID_ASK,
    account=ACCOUNT,
)
PARAMETER: Final = record(
    "ParameterInfo", 60, "name:S40@0 value:f4@40 optimize:i4@44 start:f4@48 step:f4@52 stop:f4@56"
)
INSTANCE_STATE: Final = record(
    "InstanceState",
    12_020,
    """
    instance_id:i4@0 last_run_time:u4@4 last_order_update_time:u4@8 total_parameters:i4@12
    parameters:parameter*200@16 is_parameter_space_loaded:i4@12016
    """,
    parameter=PARAMETER,
)
"""Content of ``<id>.state``."""

TIMEZONE: Final = record(
    "TimezoneInfo",
    108,
    """
    name:S50@0 start_month:i4@52 end_month:i4@56 start_nth:i4@60 end_nth:i4@64 start_day:i4@68 end_day:i4@72
    start_hour:i4@76 end_hour:i4@80 offset_standard:i4@84 offset_summer:i4@88 week:i4*4@92
    """,
)
TICK_DATA: Final = record("TickData", 32, "array_size:i4@0 time:pointer@8 bid:pointer@16 ask:pointer@24")


class InstanceState(NamedTuple):
    """What the library remembers of an instance from one process to the next.

    Attributes
    ----------
    instance_id : int
        Whose it is.
    last_run_time_s : int
        Bar of the last run: seconds of the reference broker's wall clock read as UTC; 0 before the first.
    last_order_update_time_s : int
        Of the last change of an order.
    """

    instance_id: int
    last_run_time_s: int
    last_order_update_time_s: int


def read_state(content: bytes, file: str) -> InstanceState:
    """Read a ``.state`` file.

    Raises
    ------
    StoreError
        When it has another length: the library would read whatever there is.
    """
    size = INSTANCE_STATE.itemsize
    if len(content) != size:
        raise StoreError(f"{file}: {len(content)} bytes, but a state of the library has {size}: delete it")
    state = np.frombuffer(content, INSTANCE_STATE)[0]
    return InstanceState(*(int(state[name]) for name in ("instance_id", "last_run_time", "last_order_update_time")))
