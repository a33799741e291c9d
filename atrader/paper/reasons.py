"""Why the paper account refuses or ends an order, as data: code -> what it means and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REJECT_REASONS: Final[Mapping[str, str]] = {
    "unknown-instrument": "the account does not trade this instrument: add it to the market feed or the configuration",
    "units-precision": "units are no multiple of the instrument's unit step",
    "units-too-small": "fewer units than the instrument's smallest order",
    "units-too-large": "more units than the instrument's largest order",
    "price-missing": "a limit or stop order needs a price",
    "price-precision": "a price is no multiple of the instrument's price tick",
    "expiry-passed": "the order's expiry is not in the future",
    "duplicate-client-id": "an order with this client id is working; nothing was written down for the second one",
    "market-halted": "the market is closed or has shown no price since the account was connected",
    "no-conversion-rate": "no price converts the instrument's quote currency to the account's: feed QUOTE/ACCOUNT"
    " or ACCOUNT/QUOTE",
    "insufficient-margin": "the margin needed afterwards would be more than the equity",
    "stop-loss-wrong-side": "the stop-loss would fire at once",
    "take-profit-wrong-side": "the take-profit would fire at once",
    "no-native-protection": "a netting account holds no stop-loss, take-profit or trailing stop: the gateway watches",
    "no-tickets": "a netting account has no tickets to close or protect",
    "unknown-ticket": "no open ticket has this id (it may have been closed already)",
    "ticket-mismatch": "a closing order must name its ticket's instrument and the opposite side",
    "close-exceeds-ticket": "a closing order asks for more units than its ticket holds",
    "order-not-working": "the order to change or cancel is filled, ended or was never known",
    "price-not-changeable": "a market order has no price that could be changed",
    "refused-at-random": "the account's reject_share: real brokers refuse without a reason, strategies must cope",
}
"""Codes in ``details["reason"]`` of `atrader.errors.Rejected` and in REJECTED reports."""

CANCEL_REASONS: Final[Mapping[str, str]] = {
    "by-request": "cancelled by us",
    "insufficient-margin": "when it should have filled there was not enough margin",
    "no-conversion-rate": "when it should have filled no price converted to the account's currency",
    "ticket-closed": "the ticket that the order closes was closed by something else",
    "time-in-force": "its time ran out",
}
"""Codes in the reason of CANCELLED and EXPIRED reports."""
