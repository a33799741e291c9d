"""What instruments are called by a service."""

from __future__ import annotations

from collections.abc import Mapping

from atrader.configuration.sources import HttpSource
from atrader.instruments import KNOWN, Instrument


class InstrumentKeys:
    """Keys by symbol and symbols by key.

    Parameters
    ----------
    config : HttpSource
        Names keys one by one, or by a template for all other instruments.
    instruments : Mapping of str to Instrument
        Of the configuration; the built-in ones are known too.
    """

    def __init__(self, config: HttpSource, instruments: Mapping[str, Instrument]) -> None:
        self._keys = dict(config.instruments)
        if config.instrument_key is not None:
            for symbol, one in {**KNOWN, **instruments}.items():
                self._keys.setdefault(symbol, config.instrument_key.format(base=one.base, quote=one.quote))
        self._symbols: dict[str, str] = {}
        for symbol, key in self._keys.items():
            self._symbols.setdefault(key, symbol)  # BTC/USDT before BTC/USDT:USDT

    def key(self, symbol: str) -> str | None:
        """Return the key of an instrument."""
        return self._keys.get(symbol)

    def symbol(self, key: str) -> str | None:
        """Return the instrument of a key."""
        return self._symbols.get(key)
