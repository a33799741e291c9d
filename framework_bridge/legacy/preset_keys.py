"""The keys of ``.set`` presets, by who reads them. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from framework_bridge.abi.settings import ADDITIONAL_INDEX, Setting

MAX_SPREAD_PIPS: Final = "MAX_SPREAD_PIPS"
"""Has a place in the settings, but as a price: it takes the pip of the symbol to say it."""

_OTHER_NAMES: Final = {Setting.TIMEFRAME: "STRATEGY_TIMEFRAME", Setting.MAX_SPREAD: MAX_SPREAD_PIPS}

PLACES: Final[Mapping[str, int]] = {
    **{_OTHER_NAMES.get(setting, setting.name): setting.value for setting in Setting},
    **ADDITIONAL_INDEX,
}
"""Place in the settings of each key that the library reads; keys of different strategies share places."""

FRONT_END: Final = frozenset(
    {
        *("FRAMEWORK_CONFIG", "USE_ORDER_WRAPPER", "ENABLE_SCREENSHOTS", "HISTORIC_DATA_ID", "MAX_SLIPPAGE_PIPS"),
        *("CUSTOM_ORDER_COMMENT", "USE_INSTANCE_BALANCE", "INIT_INSTANCE_BALANCE"),
    },
)
"""Keys that only the programs around the library read; so are those that begin with `FRONT_END_PREFIXES`."""

FRONT_END_PREFIXES: Final = ("UI_", "WFO_")
