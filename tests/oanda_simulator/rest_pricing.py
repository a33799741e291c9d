"""Handlers: prices and candles."""

from __future__ import annotations

from tests.oanda_simulator import arithmetic, candles
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.calls import Call
from tests.oanda_simulator.market import Quote
from tests.oanda_simulator.reply import Reply
from tests.oanda_simulator.values import Fields, csv_of, invalid, parse_time


def asked_instruments(call: Call) -> list[str]:
    """Return the instruments of a query, in its order. Raises `Malformed`."""
    names = list(dict.fromkeys(csv_of(call.required("instruments"))))
    if set(names) - call.venue.specs.keys():
        raise invalid("instruments")
    return names


def home_conversions(account: Account, names: list[str]) -> list[Fields]:
    """Return how the currencies of instruments convert to that of the account."""
    specs = account.market.specs
    currencies = sorted({currency for name in names for currency in (specs[name].quote, specs[name].base)})
    found = []
    for currency in currencies:
        if rate := arithmetic.factors(account, currency):
            found.append(
                {
                    "currency": currency,
                    "accountGain": rate.gain,
                    "accountLoss": rate.loss,
                    "positionValue": rate.mid,
                }
            )
    return found


def price_fields(account: Account, quote: Quote, with_units: bool) -> Fields:
    """Return a price as an account sees it."""
    spec = account.market.specs[quote.instrument]
    fields = quote.fields()
    if rate := arithmetic.factors(account, spec.quote):
        fields["quoteHomeConversionFactors"] = {"positiveUnits": rate.gain, "negativeUnits": rate.loss}
    if with_units:
        money = arithmetic.money_of(account)
        per_unit = arithmetic.margin_of(account, quote.instrument, spec.maximum_units) / spec.maximum_units
        free = max(arithmetic.ZERO, money.nav - money.margin_used)
        units = spec.units(free / per_unit) if per_unit else spec.units(spec.maximum_units)
        sides = {"long": units, "short": units}
        fields["unitsAvailable"] = {name: dict(sides) for name in ("default", "openOnly", "reduceFirst", "reduceOnly")}
    return fields


def pricing(call: Call) -> Reply:
    """Tell the newest prices, or those that are newer than ``since``."""
    names = asked_instruments(call)
    since = parse_time(call.query["since"], "since") if "since" in call.query else -1
    with_units = call.query.get("includeUnitsAvailable", "true").lower() == "true"
    quotes = [quote for name in names if (quote := call.venue.market.get(name)) and quote.time > since]
    body: Fields = {"prices": [price_fields(call.account, quote, with_units) for quote in quotes]}
    if call.query.get("includeHomeConversions", "false").lower() == "true":
        body["homeConversions"] = home_conversions(call.account, names)
    body["time"] = call.venue.clock.now()
    return Reply(200, body)


def instrument_candles(call: Call) -> Reply:
    """Tell candles of one instrument."""
    name = call.parts["instrument"]
    if name not in call.venue.specs:
        raise invalid("instrument")
    now = call.venue.clock.now()
    query = candles.read_query(call.query, now)
    found = candles.candles(call.venue.market, name, query, now)
    return Reply(200, {"instrument": name, "granularity": query.granularity, "candles": found})


def latest_candles(call: Call) -> Reply:
    """Tell the newest candles of several instruments and granularities."""
    now = call.venue.clock.now()
    shared = {key: value for key, value in call.query.items() if key not in {"candleSpecifications", "units"}}
    found = candles.latest(call.venue.market, call.required("candleSpecifications"), shared, now)
    return Reply(200, {"latestCandles": found})
