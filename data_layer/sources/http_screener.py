"""Instruments that a service picks."""

from __future__ import annotations

from atrader.configuration.sources import HttpScreener
from data_layer.sources.fields import field_of
from data_layer.sources.http_client import HttpService
from data_layer.sources.instrument_keys import InstrumentKeys
from data_layer.sources.screener import Picked
from data_layer.sources.source import SourceBusy


class HttpScreenerSource:
    """A `Screener` over an HTTP service."""

    def __init__(self, config: HttpScreener, service: HttpService, keys: InstrumentKeys) -> None:
        self._config = config
        self._service = service
        self._keys = keys

    async def pick(self) -> Picked:
        """Return what passes now; see `Screener.pick`."""
        answer = await self._service.post(self._config.path, self._config.body)
        items = field_of(answer, self._config.items)
        if not isinstance(items, list):
            raise SourceBusy(f"the screener's answer has no list in {self._config.items!r} (screener.items)")
        found: dict[str, None] = {}
        unknown: dict[str, None] = {}
        for item in items:
            key = item if isinstance(item, str) else field_of(item, self._config.key)
            if not isinstance(key, str):
                raise SourceBusy(f"an item of the screener has no text in {self._config.key!r} (screener.key)")
            symbol = self._keys.symbol(key)
            if symbol is None:
                unknown[key] = None
            else:
                found[symbol] = None
        return Picked(tuple(found), tuple(unknown))
