"""What is configured for an instance of the C library: ``[parameters]`` of its strategy file."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from atrader.configuration.base import DurationS, Section, TimeframeName
from atrader.strategy import Parameters
from framework_bridge.abi.structures import RATES_ARRAYS

_MAX_INT32 = 2**31 - 1
CALL_DEADLINE_S = 2.0
_Positive = Annotated[Decimal, Field(gt=0)]
_NotNegative = Annotated[Decimal, Field(ge=0)]


class RatesEntry(Section):
    """What one rates index holds."""

    symbol: str  # such as "EUR/USD"
    timeframe: TimeframeName  # that the library's strategy expects at this index
    bars: Annotated[int, Field(ge=1, le=200_000)]  # that it wants; a fifth more is passed, as the library demands


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _first_is_used(value: tuple[RatesEntry | None, ...]) -> tuple[RatesEntry | None, ...]:
    if value[0] is None:
        raise ValueError("the first entry, the strategy's own bars, is needed")
    return value


class AsirikuyParameters(Parameters):
    """Parameters of `framework_bridge.strategy.AsirikuyStrategy`; paths are relative to the installation."""

    library: str  # libAsirikuyFrameworkAPI.so of your own; it is not part of atrader
    framework_config: str  # AsirikuyConfig.xml
    preset: str  # a .set file; its STRATEGY_INSTANCE_ID is this file's magic
    strategy_id: Annotated[int, Field(ge=0, le=_MAX_INT32)]  # of the library's strategy, such as 29
    broker_name: str  # row of broker-tz.csv whose clock bars and times are passed in
    reference_name: str  # row of broker-tz.csv whose clock the strategy was made for
    rates: Annotated[
        tuple[Annotated[RatesEntry | None, BeforeValidator(_none_if_empty)], ...],
        Field(min_length=1, max_length=RATES_ARRAYS),
        AfterValidator(_first_is_used),
    ]  # by rates index; "" for one that is not used
    symbol: str | None = None  # the instrument as the library writes it; default: without the slash
    account_number: Annotated[int, Field(ge=0, le=_MAX_INT32)] = 1  # told to the library; 32 bits
    contract_size: _Positive = Decimal(100_000)  # units of a lot
    lot_step: _Positive | None = None  # lots are rounded down to it; default: the instrument's unit step
    min_lots: _Positive | None = None  # fewer are not opened; default: the instrument's smallest order
    minimum_stop_pips: _NotNegative = Decimal(0)  # closer stops are moved out to it, and by the spread
    stopout_percent: _NotNegative = Decimal(50)  # margin level at which the broker closes
    order_retries: Annotated[int, Field(ge=0, le=100)] = 3  # times a bar is run again after the broker refused an order
    call_budget: DurationS = 0.1  # a call that takes longer is reported
    call_deadline: Annotated[DurationS, Field(gt=0)] = (
        CALL_DEADLINE_S  # it ends the process; less than process.beat_timeout
    )
    call_every: Annotated[DurationS, Field(ge=1)] = 60.0  # live: also between bars, for heartbeat and repeated orders
    clock_check: Literal["ntp", "own"] = "ntp"  # own: the library neither asks time servers nor writes files
    ntp_servers: tuple[str, ...] = ("0.us.pool.ntp.org", "1.us.pool.ntp.org", "0.ca.pool.ntp.org")  # asked beforehand
    ntp_deadline: Annotated[DurationS, Field(gt=0, le=2)] = 1.0  # for an answer of one of them
    log_prefix: str | None = None  # of the library's log file; default: the instance's name and a dash
