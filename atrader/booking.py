"""What a fill at the broker is in our books, for the gateway and the event engine alike: pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atrader.fast_models import made
from atrader.instruments import Instrument
from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.broker import FillReport
from atrader.orders.model import Fill, FillReason, Intent

_ZERO: Final = Decimal(0)


def fill_of(
    report: FillReport,
    account: str,
    owner: Intent | None,
    *,
    reason: FillReason | None = None,
    trade_id: str | None = None,
) -> Fill:
    """Return a reported fill as its owner's; the ledger says what it earned.

    Parameters
    ----------
    owner : Intent or None
        What the order came of; None: nobody's.
    reason : FillReason, optional
        Where we know better than the broker.
    """
    return made(
        Fill,
        fill_id=report.fill_id,
        account=account,
        magic=FOREIGN_MAGIC if owner is None else owner.magic,
        instance="" if owner is None else owner.instance,
        instrument=report.instrument,
        side=report.side,
        units=report.units,
        price=report.price,
        time_ns=report.time_ns,
        reason=reason or report.reason,
        client_id=report.client_id,
        trade_id=trade_id,
        commission=report.commission,
        profit=_ZERO,
        home_rate=report.home_rate,
    )


def protection_of(intent: Intent, instrument: Instrument | None) -> dict[str, Decimal]:
    """Return an intent's protective prices by their fields, rounded as the broker gets them (None: as they are)."""
    found = {}
    if intent.stop_loss is not None:
        found["stop_loss"] = intent.stop_loss
    if intent.take_profit is not None:
        found["take_profit"] = intent.take_profit
    if intent.trailing_distance is not None:
        found["trailing_distance"] = intent.trailing_distance
    return found if instrument is None else {name: instrument.round_price(price) for name, price in found.items()}
