"""Candles as the venue answers them: paging, alignment, price letters, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from tests.oanda_simulator.alignment import STEP_S, WEEKDAYS, Alignment
from tests.oanda_simulator.market import Market
from tests.oanda_simulator.values import NS_PER_S, Fields, Malformed, Time, invalid, parse_time

LIMIT: Final = 5_000
_DEFAULT: Final = 500
_LETTERS: Final = {"M": "mid", "B": "bid", "A": "ask"}
_FAR_NS: Final = 2**62


@dataclass(frozen=True)
class CandleQuery:
    """What was asked for. Times UTC nanoseconds."""

    granularity: str
    letters: str
    start: int | None
    end: int | None
    count: int
    include_first: bool
    smooth: bool
    alignment: Alignment


def _boolean(query: Mapping[str, str], name: str, default: bool) -> bool:
    text = query.get(name, str(default)).lower()
    if text not in {"true", "false"}:
        raise invalid(name)
    return text == "true"


def whole_number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Read a number of a query. Raises `Malformed`."""
    text = query.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise invalid(name)
    return int(text)


def read_alignment(query: Mapping[str, str]) -> Alignment:
    """Read the three parameters of alignment. Raises `Malformed`."""
    day = query.get("weeklyAlignment", "Friday")
    if day not in WEEKDAYS:
        raise invalid("weeklyAlignment")
    try:
        zone = ZoneInfo(query.get("alignmentTimezone", "America/New_York"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("alignmentTimezone") from None
    return Alignment(whole_number(query, "dailyAlignment", 17, 0, 23), zone, WEEKDAYS.index(day))


def read_query(query: Mapping[str, str], now: int) -> CandleQuery:
    """Read the parameters of a request for candles. Raises `Malformed`."""
    granularity = query.get("granularity", "S5")
    if granularity not in STEP_S:
        raise invalid("granularity")
    letters = query.get("price", "M")
    if not letters or set(letters) - _LETTERS.keys():
        raise invalid("price")
    start = parse_time(query["from"], "from") if "from" in query else None
    end = parse_time(query["to"], "to") if "to" in query else None
    for name, value in (("from", start), ("to", end)):
        if value is not None and value > now:
            raise Malformed(f"Invalid value specified for '{name}'. Time is in the future")
    if start is not None and end is not None:
        if "count" in query:
            raise Malformed("'count' cannot be specified when 'to' and 'from' parameters are set")
        if start > end:
            raise Malformed("Invalid value specified for 'from'. It is after 'to'")
    if (text := query.get("count", "")).isdecimal() and int(text) > LIMIT:
        raise Malformed("Maximum value for 'count' exceeded")
    count = whole_number(query, "count", _DEFAULT, 1, LIMIT)
    if start is not None and ("count" not in query):
        reach = end if end is not None else now
        if (reach - start) // (STEP_S[granularity] * NS_PER_S) > LIMIT:
            raise Malformed("Maximum value for 'count' exceeded")
        count = LIMIT + 1
    return CandleQuery(
        granularity,
        letters,
        start,
        end,
        count,
        _boolean(query, "includeFirst", True),
        _boolean(query, "smooth", False),
        read_alignment(query),
    )


def candles(market: Market, instrument: str, query: CandleQuery, now: int) -> list[Fields]:
    """Return the candles of a query, oldest first. Those without a price are left out."""
    end = query.end if query.end is not None else now + 1
    first = market.candles.first_ns(instrument)
    if first is None:
        return []
    if query.start is None:
        return _newest(market, instrument, query, first, end, now)
    return _from(market, instrument, query, first, end, now)


def _from(market: Market, instrument: str, query: CandleQuery, first: int, end: int, now: int) -> list[Fields]:
    """Look forward over longer and longer spans until there are enough candles or no newer bars."""
    start = max(query.start or 0, first)
    span = (query.count + 2) * STEP_S[query.granularity] * NS_PER_S
    while True:
        reach = min(end, start + span)
        starts = query.alignment.starts(query.granularity, start, max(reach, start))
        if not query.include_first and int(starts[0]) <= (query.start or 0):
            starts = starts[1:]
        found = _built(market, instrument, query, starts, reach, now)
        # The last candle may lack bars beyond the reach, so one more than was asked for is looked for.
        if len(found) > query.count or reach == end:
            return found[: query.count]
        span *= 2


def _newest(market: Market, instrument: str, query: CandleQuery, first: int, end: int, now: int) -> list[Fields]:
    """Look back over longer and longer spans until there are enough candles or no older bars."""
    span = (query.count + 2) * STEP_S[query.granularity] * NS_PER_S
    while True:
        begin = max(first, end - span)
        starts = query.alignment.starts(query.granularity, begin, max(end, begin))
        found = _built(market, instrument, query, starts, end, now)
        if len(found) >= query.count or begin == first:
            return found[-query.count :]
        span *= 2


def _built(
    market: Market, instrument: str, query: CandleQuery, edges: NDArray[np.int64], end: int, now: int
) -> list[Fields]:
    """Join the base bars before `end` into candles that start at `edges`."""
    bars = market.candles.span(instrument, int(edges[0]) if len(edges) else _FAR_NS, end)
    if not len(bars.starts):
        return []
    bucket = np.searchsorted(edges, bars.starts, side="right") - 1
    rows = np.flatnonzero(np.diff(bucket, prepend=-1))
    lasts = np.append(rows[1:], len(bucket)) - 1
    sides = {"bid": _joined(bars.bids, rows, lasts), "ask": _joined(bars.asks, rows, lasts)}
    sides["mid"] = (sides["bid"] + sides["ask"]) / 2
    volumes = np.add.reduceat(bars.volumes, rows)
    digits = market.specs[instrument].display_precision
    names = [_LETTERS[letter] for letter in "BMA" if letter in query.letters]
    if query.smooth:
        for name in names:
            _smooth(sides[name])
    found = []
    for row, number in enumerate(bucket[rows]):
        candle: Fields = {"time": Time(int(edges[number]))}
        for name in names:
            candle[name] = dict(zip("ohlc", (f"{value:.{digits}f}" for value in sides[name][row]), strict=True))
        candle["volume"] = int(volumes[row])
        candle["complete"] = int(edges[number + 1]) <= now
        found.append(candle)
    return found


def _joined(prices: NDArray[np.float64], rows: NDArray[np.intp], lasts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.column_stack(
        (
            prices[rows, 0],
            np.maximum.reduceat(prices[:, 1], rows),
            np.minimum.reduceat(prices[:, 2], rows),
            prices[lasts, 3],
        )
    )


def _smooth(prices: NDArray[np.float64]) -> None:
    """Let each candle open where the one before closed."""
    prices[1:, 0] = prices[:-1, 3]
    prices[:, 1] = np.maximum(prices[:, 1], prices[:, 0])
    prices[:, 2] = np.minimum(prices[:, 2], prices[:, 0])


def latest(market: Market, specifications: str, query: Mapping[str, str], now: int) -> list[Fields]:
    """Return the newest candles of specifications such as ``EUR_USD:M1:BA``. Raises `Malformed`."""
    answers = []
    for text in filter(None, specifications.split(",")):
        instrument, *rest = text.split(":")
        if instrument not in market.specs or len(rest) != 2:
            raise invalid("candleSpecifications")
        asked = read_query({**query, "granularity": rest[0], "price": rest[1]}, now)
        found = candles(market, instrument, replace(asked, count=2), now)
        answers.append({"instrument": instrument, "granularity": rest[0], "candles": found})
    return answers
