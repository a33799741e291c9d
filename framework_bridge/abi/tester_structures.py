"""Structs, callbacks and functions of the tester, ``libCTesterFrameworkAPI.so``; it passes structs by value."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_double, c_int, c_void_p
from typing import Final

from framework_bridge.abi.layout import record, structure
from framework_bridge.abi.prototypes import Prototype
from framework_bridge.abi.structures import ORDER_INFO

TESTER_RATES: Final = record(
    "ASTRates",
    64,
    "open:f8@0 high:f8@8 low:f8@16 close:f8@24 volume:f8@32 swap_long:f8@40 swap_short:f8@48 time:i4@56",
)
"""One bar of a test; times as in `framework_bridge.abi.structures.RATES`."""

TEST_SETTINGS: Final = record("TestSettings", 24, "spread:f8@0 from_date:i4@8 to_date:i4@12 calculate_expectancy:i4@16")
"""What holds for one system of a test: spread in price units, dates as seconds."""

OPTIMIZATION_PARAMETER: Final = record("OptimizationParam", 32, "index:i4@0 start:f8@8 step:f8@16 stop:f8@24")
"""A setting that is tried out: its place and its values."""


@structure(120, ticket=0, type=16, open_time=24, open_price=64, lots=80, is_open=112)
class OrderInfo(Structure):
    """`framework_bridge.abi.structures.ORDER_INFO`, as callbacks get it."""

    _fields_ = [(name, c_double) for name in ORDER_INFO.names or ()]


@structure(72, test_id=0, no=4, time=8, type=12, order_id=16, lots=24, price=32, sl=40, tp=48, profit=56, balance=64)
class TradeSignal(Structure):
    """One event of a test; see `framework_bridge.abi.tester_values.CTesterEvent`."""

    _fields_ = [
        *((name, c_int) for name in ("test_id", "no", "time", "type", "order_id")),
        *((name, c_double) for name in ("lots", "price", "sl", "tp", "profit", "balance")),
    ]


@structure(
    5120, test_id=0, total_trades=4, cagr=8, final_balance=48, pf=72, num_shorts=104, years_traded=112, symbol=120
)
class CTesterResult(Structure):
    """What a test came to; see `framework_bridge.abi.tester_values.CTesterOutcome`."""

    _fields_ = [
        *((name, c_int) for name in ("test_id", "total_trades")),
        *((name, c_double) for name in ("cagr", "sharpe", "martin", "risk_reward", "winning", "final_balance")),
        *((name, c_double) for name in ("max_dd_depth", "max_dd_length", "pf", "r2", "ulcer_index")),
        ("avg_trade_duration", c_double),
        *((name, c_int) for name in ("num_shorts", "num_longs")),
        ("years_traded", c_double),
        ("symbol", c_char * 5000),
    ]


@structure(72, population=0, crossover=8, migration=24, evolutionary_mode=32, max_generations=48, optimization_goal=64)
class GeneticSettings(Structure):
    """How the genetic optimiser searches."""

    _fields_ = [
        ("population", c_int),
        *((name, c_double) for name in ("crossover", "mutation", "migration")),
        *((name, c_int) for name in ("evolutionary_mode", "elitism_mode", "mutation_mode", "crossover_mode")),
        *((name, c_int) for name in ("max_generations", "stop_if_converged", "discard_asymmetric_sets")),
        *((name, c_int) for name in ("min_trades_a_year", "optimization_goal")),
    ]


ON_UPDATE: Final = CFUNCTYPE(None, c_int, c_double, OrderInfo, c_double, c_char_p)
ON_FINISHED: Final = CFUNCTYPE(None, CTesterResult)
ON_SIGNAL: Final = CFUNCTYPE(None, TradeSignal)
ON_OPTIMIZED: Final = CFUNCTYPE(None, CTesterResult, POINTER(c_double), c_int)

_OUT: Final = POINTER(c_int)

TESTER: Final[Mapping[str, Prototype]] = {
    "getCTesterFrameworkVersion": Prototype((_OUT, _OUT, _OUT), None),
    "initCTesterFramework": Prototype((c_char_p, c_int)),
    "runPortfolioTest": Prototype(
        (
            *(c_int, c_void_p, c_void_p, c_char_p, c_char_p, c_char_p),  # id, settings, symbols, currency, brokers
            *(c_void_p, c_void_p, c_void_p),  # accounts, test settings, rates infos
            *(c_int, c_int, c_void_p, c_double),  # candles, systems, rates, smallest lot
            *(ON_UPDATE, ON_FINISHED, ON_SIGNAL),
        ),
        CTesterResult,
    ),
    "runOptimizationMultipleSymbols": Prototype(
        (
            *(c_void_p, c_int, c_int, GeneticSettings, c_int),  # parameters, their number, kind, search, threads
            *(c_void_p, c_void_p, c_char_p, c_char_p, c_char_p),  # settings, symbols, currency, brokers
            *(c_void_p, c_void_p, c_void_p),  # account, test settings, rates infos
            *(c_int, c_int, c_void_p, c_double),  # candles, symbols, rates, smallest lot
            *(ON_OPTIMIZED, ON_FINISHED, ctypes.POINTER(c_char_p)),
        )
    ),
    "stopOptimization": Prototype((), None),
}
"""The tester's functions."""
