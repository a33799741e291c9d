"""Keys of presets that only the old front ends read, and where what they did lives now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.presets import Preset

_KEYS: Final = {
    "FRAMEWORK_CONFIG": "the library's configuration is in etc/asirikuy",
    "USE_ORDER_WRAPPER": "see positions of the account",
    "ENABLE_SCREENSHOTS": "there are no pictures",
    "HISTORIC_DATA_ID": "bars are found by instrument and timeframe",
    "MAX_SLIPPAGE_PIPS": "see market_bound_pips of an OANDA account; it holds for all strategies of the account",
    "CUSTOM_ORDER_COMMENT": "orders carry an id and the magic number",
}
_READ: Final = ("USE_INSTANCE_BALANCE", "INIT_INSTANCE_BALANCE")
_PREFIXES: Final = {"UI_": "nothing is painted on charts", "WFO_": "walk-forward settings are the optimiser's"}


def front_end_findings(preset: Preset) -> Iterator[Finding]:
    """Yield a line for each such key of a preset."""
    for key in preset.front_end:
        if key in _READ:
            text = "is read by the strategy itself: lots from what the instance won"
            yield Finding(Kind.CONVERTED, preset.file, preset.lines.get(key, 0), key, text)
            continue
        text = _KEYS.get(key) or next(text for prefix, text in _PREFIXES.items() if key.startswith(prefix))
        yield Finding(Kind.NO_COUNTERPART, preset.file, preset.lines.get(key, 0), key, text)
