"""Intents in the broker's terms."""

from __future__ import annotations

from decimal import Decimal

from atrader.fast_models import made
from atrader.instruments import Instrument
from atrader.orders.broker import BrokerOrder, Capabilities, Modification
from atrader.orders.model import OPPOSITE, Order, Trade


def open_order(order: Order, instrument: Instrument, capabilities: Capabilities) -> BrokerOrder:
    """Return the broker order of an intent to open; protection goes along where the broker holds it."""
    intent, native = order.intent, capabilities.native_protection
    assert intent.side is not None
    assert order.units is not None
    return made(
        BrokerOrder,
        client_id=order.client_id,
        magic=intent.magic,
        instance=intent.instance,
        instrument=intent.instrument,
        side=intent.side,
        order_type=intent.order_type,
        units=order.units,
        price=_rounded(intent.price, instrument),
        stop_loss=_rounded(intent.stop_loss, instrument) if native else None,
        take_profit=_rounded(intent.take_profit, instrument) if native else None,
        trailing_distance=_rounded(intent.trailing_distance, instrument) if native else None,
        expires_ns=intent.expires_ns,
        close_broker_trade_id=None,
        exit=False,
        reduce_only=False,
    )


def close_order(order: Order, trade: Trade, capabilities: Capabilities) -> BrokerOrder:
    """Return the broker order that closes a trade: its ticket, or an opposite order on the net position."""
    intent = order.intent
    assert order.units is not None
    return made(
        BrokerOrder,
        client_id=order.client_id,
        magic=trade.magic,
        instance=trade.instance,
        instrument=trade.instrument,
        side=OPPOSITE[trade.side],
        order_type=intent.order_type,
        units=order.units,
        price=intent.price,
        stop_loss=None,
        take_profit=None,
        trailing_distance=None,
        expires_ns=None,
        close_broker_trade_id=trade.broker_trade_id if capabilities.hedging else None,
        exit=True,
        reduce_only=intent.is_net_stop,
    )


def modification(
    order: Order, instrument: Instrument, capabilities: Capabilities, broker_trade_id: str | None
) -> Modification:
    """Return the broker's form of an intent to modify; protection only where the broker holds it."""
    intent, native = order.intent, capabilities.native_protection
    return made(
        Modification,
        client_id=order.client_id,
        broker_trade_id=broker_trade_id,
        order_client_id=intent.order_id,
        price=_rounded(intent.price, instrument),
        units=intent.units if intent.keeps_protection else None,
        stop_loss=_rounded(intent.stop_loss, instrument) if native else None,
        take_profit=_rounded(intent.take_profit, instrument) if native else None,
        trailing_distance=_rounded(intent.trailing_distance, instrument) if native else None,
    )


def _rounded(price: Decimal | None, instrument: Instrument) -> Decimal | None:
    return None if price is None else instrument.round_price(price)
