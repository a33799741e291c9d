"""The terms of an account: what kind it is and what it trades. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from atrader.errors import BrokerUnavailable
from atrader.instruments import Instrument, InstrumentKind
from broker_api.oanda.codec import Fields
from broker_api.oanda.values import symbol_of

_KINDS: Final[Mapping[str, InstrumentKind]] = {"CURRENCY": "fx", "METAL": "metal", "CFD": "cfd"}
_UNLIMITED: Final = Decimal(10**12)


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What the broker says about an account.

    Attributes
    ----------
    hedging : bool
        Long and short trades of one instrument live together.
    anonymous : bool
        Linked to MT4: client extensions are refused.
    guaranteed_stops : bool
        Every stop has to be a guaranteed one.
    """

    currency: str
    hedging: bool
    anonymous: bool
    guaranteed_stops: bool


def account_in(body: Fields) -> Fields:
    """Return the account of an answer.

    Raises
    ------
    BrokerUnavailable
        It does not tell how much money there is: taken for none, that would close all.
    """
    account = body.within("account")
    if account.amount("balance") is None:
        raise BrokerUnavailable("OANDA: an answer that holds no account")
    return account


def terms_of(account: Fields, listed: Fields) -> AccountTerms:
    """Return the terms of an account from its summary and its line in the list of accounts."""
    return AccountTerms(
        currency=account.text("currency"),
        hedging=account.flag("hedgingEnabled"),
        anonymous=bool(listed.text("mt4AccountID")),
        guaranteed_stops=account.text("guaranteedStopLossOrderMode") == "REQUIRED",
    )


def instruments_of(
    answer: Fields, account_margin_frac: Decimal | None, defined: Mapping[str, Instrument]
) -> dict[str, Instrument]:
    """Return what an account trades, by symbol; what our model cannot hold is left out.

    Parameters
    ----------
    answer : Fields
        The broker's list of instruments.
    account_margin_frac : Decimal or None
        Margin rate of the account; the stricter one counts.
    defined : Mapping of str to Instrument
        Instruments of the configuration: their calendars are used, and the stricter of two limits.
    """
    found: dict[str, Instrument] = {}
    for item in answer.each("instruments"):
        instrument = _instrument(item, account_margin_frac or Decimal(0))
        if instrument is not None:
            own = defined.get(instrument.symbol)
            found[instrument.symbol] = instrument if own is None else _merged(instrument, own)
    return found


def _instrument(item: Fields, account_margin_frac: Decimal) -> Instrument | None:
    margin = max(item.amount("marginRate") or Decimal(0), account_margin_frac)
    try:
        return Instrument(
            symbol=symbol_of(item.text("name")),
            kind=_KINDS.get(item.text("type"), "cfd"),
            price_tick=_step(item, "displayPrecision"),
            pip=Decimal(1).scaleb(int(item.text("pipLocation") or 0)),
            unit_step=_step(item, "tradeUnitsPrecision"),
            min_units=item.amount("minimumTradeSize") or Decimal(1),
            max_units=item.amount("maximumOrderUnits") or _UNLIMITED,
            margin_rate_frac=min(margin, Decimal(1)) or Decimal(1),
        )
    except (ValidationError, ValueError, ArithmeticError):
        return None


def _step(item: Fields, precision: str) -> Decimal:
    return Decimal(1).scaleb(-int(item.text(precision) or 0))


def _merged(told: Instrument, own: Instrument) -> Instrument:
    return told.model_copy(
        update={
            "calendar": own.calendar,
            "min_units": max(told.min_units, own.min_units),
            "max_units": min(told.max_units, own.max_units),
            "margin_rate_frac": max(told.margin_rate_frac, own.margin_rate_frac),
        }
    )
