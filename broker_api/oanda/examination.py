"""What OANDA says of an account: asked by ``doctor``, with GET requests only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from atrader.broker_health import BrokerHealth
from atrader.clock import NS_PER_S, Clock
from atrader.configuration.oanda import OandaSettings
from atrader.errors import Retryable
from broker_api.examination import AccountFacts
from broker_api.oanda.codec import Fields
from broker_api.oanda.rest import OandaRest, account_path
from broker_api.oanda.status import body_of
from broker_api.oanda.terms import account_in, terms_of
from broker_api.oanda.transport import Answer, HttpTransport, Transport
from broker_api.oanda.values import name_of, symbol_of

_ANY_INSTRUMENT: Final = "EUR_USD"  # its price comes with the broker's time
_SILENCE_S: Final = 10.0  # nothing is read: only whether the stream begins


async def examine(settings: OandaSettings, symbols: Collection[str], clock: Clock) -> AccountFacts:
    """Ask about an account and the instruments that shall be traded on it.

    Raises
    ------
    ConfigError
        When the token is refused (exit code AUTH), or cannot be found.
    Retryable
        When OANDA cannot be reached or has no answer.
    """
    transport = HttpTransport(settings, clock)
    try:
        listed = await _listed(transport)
        ours = listed.get(settings.account_id)
        if ours is None:
            return AccountFacts(account_ids=tuple(listed), may_use=False)
        rest = OandaRest(transport, settings)
        summary = account_in(Fields(await rest.get("/summary")))
        offered = Fields(await rest.get("/instruments")).each("instruments")
        known = {symbol_of(one.text("name")) for one in offered}
        asked = [symbol for symbol in symbols if symbol in known]
        tradeable, measured = await _prices(rest, asked, clock)
        streams = await _streams(transport, settings, asked)
    finally:
        await transport.close()
    terms = terms_of(summary, ours)
    return AccountFacts(
        account_ids=tuple(listed),
        currency=terms.currency or None,
        positions="hedging" if terms.hedging else "netting",
        carries_ids=not terms.anonymous,
        trouble=_trouble(summary),
        streams=streams,
        instruments={symbol: tradeable.get(symbol) for symbol in symbols if symbol in known},
        clock_skew_s=measured.clock_skew_s,
        round_trip_s=measured.round_trip_s,
    )


async def _listed(transport: Transport) -> dict[str, Fields]:
    """Return the accounts that the token may use, by id."""
    answer = await transport.request("GET", "/v3/accounts")
    body = Fields(body_of(answer, acting=False, what="GET accounts"))
    return {one.text("id"): one for one in body.each("accounts")}


async def _prices(rest: OandaRest, symbols: list[str], clock: Clock) -> tuple[dict[str, bool], BrokerHealth]:
    """Return what can be traded now, and how far the broker's clock is from ours in the middle of the request."""
    sent_ns = clock.now_ns()
    body = Fields(await rest.get("/pricing", {"instruments": ",".join(_names(symbols))}))
    trip_ns = clock.now_ns() - sent_ns
    found = {symbol_of(one.text("instrument")): one.flag("tradeable") for one in body.each("prices")}
    told_ns = body.time_ns("time")
    skew_s = (told_ns - sent_ns - trip_ns / 2) / NS_PER_S if told_ns else None
    return found, BrokerHealth(clock_skew_s=skew_s, round_trip_s=trip_ns / NS_PER_S)


async def _streams(transport: Transport, settings: OandaSettings, symbols: list[str]) -> dict[str, str | None]:
    """Open each stream and close it at once; return what was wrong with it."""
    below = account_path(settings.account_id)
    prices = {"instruments": ",".join(_names(symbols))}
    return {
        "transactions": await _refusal(transport, f"{below}/transactions/stream", {}),
        "prices": await _refusal(transport, f"{below}/pricing/stream", prices),
    }


async def _refusal(transport: Transport, path: str, query: dict[str, str]) -> str | None:
    try:
        async with transport.stream(path, query, silence_s=lambda: _SILENCE_S) as opened:
            return f"refused with status {opened.status}" if isinstance(opened, Answer) else None
    except Retryable as error:
        return error.message


def _names(symbols: list[str]) -> list[str]:
    return [name_of(symbol) for symbol in symbols] or [_ANY_INSTRUMENT]


def _trouble(summary: Fields) -> tuple[str, ...]:
    since = summary.text("marginCallEnterTime")
    return (f"in a margin call since {since}",) if since else ()
