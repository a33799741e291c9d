"""Why OANDA refuses or ends an order, in the words that all adapters share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SAME: Final[Mapping[str, str]] = {
    "INSTRUMENT_UNKNOWN": "unknown-instrument",
    "INSTRUMENT_NOT_TRADEABLE": "market-halted",
    "MARKET_HALTED": "market-halted",
    "INSTRUMENT_BID_HALTED": "market-halted",
    "INSTRUMENT_ASK_HALTED": "market-halted",
    "UNITS_PRECISION_EXCEEDED": "units-precision",
    "UNITS_MINIMUM_NOT_MET": "units-too-small",
    "UNITS_MIMIMUM_NOT_MET": "units-too-small",  # sic: the spelling of 2018
    "UNITS_LIMIT_EXCEEDED": "units-too-large",
    "PRICE_MISSING": "price-missing",
    "PRICE_PRECISION_EXCEEDED": "price-precision",
    "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST": "expiry-passed",
    "BOUNDS_VIOLATION": "price-bound",
    "INSUFFICIENT_MARGIN": "insufficient-margin",
    "CLIENT_ORDER_ID_ALREADY_EXISTS": "duplicate-client-id",
    "CLIENT_TRADE_ID_ALREADY_EXISTS": "duplicate-client-id",
    "ORDER_DOESNT_EXIST": "order-not-working",
    "NO_SUCH_ORDER": "order-not-working",
    "TRADE_DOESNT_EXIST": "unknown-ticket",
    "NO_SUCH_TRADE": "unknown-ticket",
    "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE": "close-exceeds-ticket",
    "STOP_LOSS_ON_FILL_LOSS": "stop-loss-wrong-side",
    "TAKE_PROFIT_ON_FILL_LOSS": "take-profit-wrong-side",
    "LOSING_TAKE_PROFIT": "take-profit-wrong-side",
    "STOP_LOSS_ON_FILL_GUARANTEED_REQUIRED": "guaranteed-stop-required",
    "STOP_LOSS_ON_FILL_REQUIRED_FOR_PENDING_ORDER": "stop-loss-required",
    "CLIENT_REQUEST": "by-request",
    "CLIENT_REQUEST_REPLACED": "replaced",
    "LINKED_TRADE_CLOSED": "ticket-closed",
    "TIME_IN_FORCE_EXPIRED": "time-in-force",
}

DUPLICATE_ORDER: Final = "CLIENT_ORDER_ID_ALREADY_EXISTS"
"""A refusal that concerns the second order only: the first one with this id works on."""

REPLACED: Final = "CLIENT_REQUEST_REPLACED"
EXPIRED: Final = "TIME_IN_FORCE_EXPIRED"

MEANINGS: Final[Mapping[str, str]] = {
    "market-halted": "the market is closed, or this instrument is halted",
    "insufficient-margin": "the account has not enough margin for it",
    "price-bound": "it would have filled farther from the last price than oanda.market_bound_pips allows",
    "guaranteed-stop-required": "the account takes no trade without a guaranteed stop: give it a stop-loss",
    "duplicate-client-id": "an order or trade with this id is there already",
    "order-not-working": "the order is filled, ended or was never known",
    "unknown-ticket": "no open trade has this id (it may have been closed already)",
    "not-authorised": "the token does not let us in any more; see oanda.token",
}
"""What to tell people about some of the codes."""


def reason_of(code: str) -> str:
    """Return our code of one of the broker's; one that nobody knows is written our way."""
    return _SAME.get(code) or code.lower().replace("_", "-") or "refused"
