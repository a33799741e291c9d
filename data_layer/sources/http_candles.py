"""Candles of an HTTP service, mapped by configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.sources import HttpSource
from atrader.market import Bar, Bars
from atrader.timeframes import Timeframe
from data_layer.sources.fields import field_of, number_of, time_reader, time_sent
from data_layer.sources.http_client import HttpService, limits_of
from data_layer.sources.instrument_keys import InstrumentKeys
from data_layer.sources.source import BarPage, SourceBusy, SourceLimits, SourceRefused

_MAX_CURSORS: Final = 200
"""Requests for one page; more is a service whose cursor never ends."""


class HttpCandleSource:
    """A `BarSource` over an HTTP service.

    Candles may come in any order and more than once (the last one counts); those outside of what was asked for, and
    those that are not over, are left out.

    Parameters
    ----------
    name : str
        Of the source.
    config : HttpSource
        The mapping.
    service : HttpService
        Sends the requests; closed by `close`.
    keys : InstrumentKeys
        What instruments are called there.
    calendar_of : callable
        Gives the calendar of an instrument.
    """

    def __init__(
        self,
        name: str,
        config: HttpSource,
        service: HttpService,
        keys: InstrumentKeys,
        calendar_of: Callable[[str], Calendar],
        clock: Clock,
    ) -> None:
        self._name = name
        self._config = config
        self._service = service
        self._keys = keys
        self._calendar_of = calendar_of
        self._clock = clock
        self._row = _RowReader(config)

    @property
    def name(self) -> str:
        """What stored bars give as their source."""
        return self._name

    @property
    def limits(self) -> SourceLimits:
        """What may be asked of it."""
        return limits_of(self._config)

    def serves(self, instrument: str, timeframe: Timeframe) -> bool:
        """Tell whether it may have bars of exactly this timeframe."""
        names = self._config.timeframes
        return self._keys.key(instrument) is not None and (not names or timeframe.name in names)

    async def page(self, instrument: str, timeframe: Timeframe, start_ns: int, end_ns: int) -> BarPage:
        """Fetch the bars with ``start_ns <= open_time < end_ns``; see `BarSource.page`."""
        key = self._keys.key(instrument)
        if key is None:
            raise SourceRefused(f"source {self._name} has no key of {instrument} (sources.{self._name}.instruments)")
        calendar, now_ns = self._calendar_of(instrument), self._clock.now_ns()
        found: dict[int, Bar] = {}
        until_ns = end_ns
        for raw in await self._candles(key, timeframe, start_ns, end_ns):
            bar, complete = self._row(raw)
            if not start_ns <= bar.open_time_ns < end_ns:
                continue
            if complete is False or calendar.next_bar_open(bar.open_time_ns, timeframe) > now_ns:
                until_ns = min(until_ns, bar.open_time_ns)
            else:
                found[bar.open_time_ns] = bar
        bars = [found[time_ns] for time_ns in sorted(found) if time_ns < until_ns]
        return BarPage(Bars.from_rows(bars), until_ns)

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._service.close()

    async def _candles(self, key: str, timeframe: Timeframe, start_ns: int, end_ns: int) -> list[Any]:
        asked = self._config.candles
        path = asked.path.format(
            instrument_key=quote(key, safe=""), timeframe=self._config.timeframes.get(timeframe.name, timeframe.name)
        )
        parameters: dict[str, str | int] = {}
        for name, time_ns in ((asked.start, start_ns), (asked.end, end_ns)):
            if name:
                parameters[name] = time_sent(time_ns, asked.time_sent)
        if asked.limit:
            parameters[asked.limit] = self._config.page_bars
        rows: list[Any] = []
        for _ in range(_MAX_CURSORS):
            answer = await self._service.get(path, parameters)
            items = field_of(answer, asked.items)
            if not isinstance(items, list):
                where = asked.items or "the answer itself"
                raise SourceBusy(f"source {self._name}: no list of candles in {where} (candles.items)")
            rows += items
            cursor = field_of(answer, asked.cursor) if asked.cursor else None
            if cursor in (None, "", False):
                return rows
            parameters[asked.cursor_sent] = cursor if isinstance(cursor, str | int) else json.dumps(cursor)
        raise SourceBusy(f"source {self._name}: a page of more than {_MAX_CURSORS} cursors")


class _RowReader:
    """Reads one candle."""

    def __init__(self, config: HttpSource) -> None:
        names = config.candles
        bid = (names.open, names.high, names.low, names.close)
        ask = (names.ask_open, names.ask_high, names.ask_low, names.ask_close)
        self._prices = (*bid, *(own or other for own, other in zip(ask, bid, strict=True)))
        self._names = names
        self._time = time_reader(names.time_format)

    def __call__(self, raw: Any) -> tuple[Bar, bool | None]:
        """Return a bar, and whether it is over when the service says that.

        Raises
        ------
        SourceBusy
            When it is no candle.
        """
        names = self._names
        try:
            time_ns = self._time(field_of(raw, names.time))
            prices = [number_of(field_of(raw, name), name) for name in self._prices]
            volume = number_of(field_of(raw, names.volume), names.volume) if names.volume else 0.0
        except ValueError as error:
            raise SourceBusy(f"a candle of the source cannot be read: {error} (see its [candles])") from error
        complete = field_of(raw, names.complete) is True if names.complete else None
        return Bar._make((time_ns, *prices, volume)), complete
