"""Return codes of the library, and the errors made of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from atrader.errors import ConfigError, StrategyError


class ReturnCode(IntEnum):
    """What the entry points answer."""

    SUCCESS = 0  # also when nothing was run: disabled, weekend, same bar
    INVALID_CURRENCY = 3000
    UNKNOWN_SYMBOL = 3001
    SYMBOL_TOO_SHORT = 3002
    PARSE_SYMBOL_FAILED = 3003
    NO_CONVERSION_SYMBOLS = 3004
    NULL_POINTER = 3005
    INVALID_STRATEGY = 3006
    NOT_ENOUGH_MARGIN = 3007
    SPREAD_TOO_WIDE = 3008
    NOT_ENOUGH_RATES_DATA = 3009
    WORST_CASE_SCENARIO = 3010
    NORMALIZE_BARS_FAILED = 3011
    INIT_LOG_FAILED = 3012
    DEINIT_LOG_FAILED = 3013
    ZERO_DIVIDE = 3014
    TA_LIB_ERROR = 3015
    INVALID_TIME_OFFSET = 3016
    INVALID_PARAMETER = 3017
    NN_TRAINING_FAILED = 3018
    UNKNOWN_TIMEZONE = 3019
    LOCAL_TZ_MISMATCH = 3020
    BROKER_TZ_MISMATCH = 3021
    TOO_MANY_INSTANCES = 3022
    INVALID_CONFIG = 3023
    MISSING_CONFIG = 3024
    INIT_XML_FAILED = 3025
    UNKNOWN_INSTANCE_ID = 3026
    INSUFFICIENT_MEMORY = 3027
    WAIT_FOR_INIT = 3028
    ERROR_IN_RATES_RETRIEVAL = 3029
    BID_ASK_IS_ZERO = 3030
    FILE_WRITING_ERROR = 3031


_Code = ReturnCode
REMEDIES: Final = {
    _Code.UNKNOWN_SYMBOL: "the library does not know this symbol",
    _Code.NULL_POINTER: (
        "the timezone file is missing, a path in the framework's XML has spaces around it,"
        " or its TradingWeekBoundaries element is missing"
    ),
    _Code.INVALID_STRATEGY: "this library has no strategy of this number: see strategy_id",
    _Code.NOT_ENOUGH_RATES_DATA: "more bars are needed: a fifth more than the strategy asks for, see rates",
    _Code.INVALID_PARAMETER: "a setting is outside its range, such as a negative STRATEGY_INSTANCE_ID",
    _Code.UNKNOWN_TIMEZONE: "broker_name and reference_name must be rows of the timezone file, written exactly so",
    _Code.LOCAL_TZ_MISMATCH: "the clock of this machine is more than 30 minutes off",
    _Code.BROKER_TZ_MISMATCH: "the clock of broker_name's row is more than 30 minutes off the broker's",
    _Code.TOO_MANY_INSTANCES: "a process has room for 200 instances in its life",
    _Code.INVALID_CONFIG: "the framework's XML is malformed or incomplete, or MACRO_TREND contradicts ONE_SIDE",
    _Code.MISSING_CONFIG: "there is no such framework configuration: see framework_config",
    _Code.BID_ASK_IS_ZERO: "there is no price yet",
}
"""What a person can do about a code, where we know it."""

_OF_CONFIGURATION: Final = frozenset(
    {
        *(_Code.UNKNOWN_SYMBOL, _Code.NULL_POINTER, _Code.INVALID_STRATEGY, _Code.INVALID_PARAMETER),
        *(_Code.UNKNOWN_TIMEZONE, _Code.INVALID_CONFIG, _Code.MISSING_CONFIG, _Code.INIT_XML_FAILED),
    }
)


class LibraryError(StrategyError):
    """Raised when the library refuses a call or breaks its interface.

    ``details["returned"]`` holds the code it answered, when that is what was wrong.
    """

    @property
    def returned(self) -> int:
        """The code; 0 when it was good and something else was not."""
        code = self.details.get("returned", 0)
        return code if isinstance(code, int) else 0


def describe(returned: int) -> str:
    """Write a code as people read it, with what can be done about it."""
    try:
        code = ReturnCode(returned)
    except ValueError:
        return f"{returned} (no code of this library)"
    remedy = REMEDIES.get(code)
    return f"{returned} {code.name}" + (f": {remedy}" if remedy else "")


def require_success(returned: int, what: str) -> None:
    """Do nothing when a call was good.

    Raises
    ------
    ConfigError
        When a person has to change a file.
    LibraryError
        At any other code.
    """
    if returned == ReturnCode.SUCCESS:
        return
    message = f"{what}: the library answers {describe(returned)}"
    if returned in _OF_CONFIGURATION:
        raise ConfigError(message, details={"returned": returned})
    raise LibraryError(message, details={"returned": returned})
