"""Every function of the two libraries: its arguments and what it returns."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import c_char_p, c_int, c_void_p
from typing import Any, Final, NamedTuple

_TEXT: Final = c_char_p  # an input, or a buffer made with create_string_buffer


class Prototype(NamedTuple):
    """Arguments and result of one function.

    Attributes
    ----------
    arguments : tuple
        ctypes types in order.
    result : Any
        ctypes type, None for void.
    """

    arguments: tuple[Any, ...]
    result: Any = c_int


_INT_OUT: Final = ctypes.POINTER(c_int)
_RUN: Final = Prototype((c_void_p,) * 22)

RUN_ARGUMENTS: Final = (
    *("settings", "symbol", "currency", "broker", "reference", "broker_time", "open_order_counts", "orders"),
    *("account", "prices", "rates_info"),
    *(f"rates_{index}" for index in range(10)),
    "results",
)
"""Arguments of the three functions that run a strategy, in order."""

_SYMBOL_HELPERS: Final[Mapping[str, int]] = {
    "parseSymbol": 6,
    "normalizeSymbol": 1,
    "normalizeCurrency": 1,
    "getConversionSymbols": 4,
    "getCurrencyInfo": 5,
    "getCurrencyPairPrefix": 2,
    "getBaseCurrency": 2,
    "getCurrencyPairSeparator": 2,
    "getQuoteCurrency": 2,
    "getCurrencyPairSuffix": 2,
    "getCurrencyNumber": 2,
    "getNumDigitsAfterDecimal": 2,
    "getCurrencyName": 2,
    "getCurrencyLocations": 2,
}

FRAMEWORK: Final[Mapping[str, Prototype]] = {
    "getFrameworkVersion": Prototype((_INT_OUT, _INT_OUT, _INT_OUT), None),
    "initInstanceC": Prototype((c_int, c_int, _TEXT, _TEXT)),
    "initInstanceMQL5": Prototype((c_int, c_int, _TEXT)),
    "initInstanceMQL4": Prototype((c_int, c_int, c_void_p)),
    "deinitInstance": Prototype((c_int,), None),
    "c_runStrategy": _RUN,
    "mql5_runStrategy": _RUN,
    "mql4_runStrategy": _RUN,
    "jf_runStrategy": Prototype((c_void_p, c_void_p)),
    **{f"mql5_{name}": Prototype((_TEXT,) * count) for name, count in _SYMBOL_HELPERS.items()},
    **{f"C_{name}": Prototype((_TEXT,) * count) for name, count in _SYMBOL_HELPERS.items()},
    **{f"mql4_{name}": Prototype((c_void_p,) * count) for name, count in _SYMBOL_HELPERS.items()},
}
"""The framework library: ``libAsirikuyFrameworkAPI.so``."""

FRAMEWORK_REQUIRED: Final = (
    *("getFrameworkVersion", "initInstanceC", "deinitInstance", "c_runStrategy"),
    *("mql5_getConversionSymbols", "mql5_normalizeSymbol", "mql5_normalizeCurrency"),
)
"""What we call ourselves: a library without them is another."""


def declare(library: ctypes.CDLL, prototypes: Mapping[str, Prototype]) -> frozenset[str]:
    """Give the functions of a library their types.

    Returns
    -------
    frozenset of str
        Those of the prototypes that it lacks.
    """
    lacking = set()
    for name, prototype in prototypes.items():
        function = getattr(library, name, None)
        if function is None:
            lacking.add(name)
            continue
        function.argtypes = prototype.arguments
        function.restype = prototype.result
    return frozenset(lacking)
