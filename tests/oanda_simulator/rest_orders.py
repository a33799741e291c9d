"""Handlers: orders and trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from tests.oanda_simulator import closing, orders, protecting, views
from tests.oanda_simulator.calls import Call
from tests.oanda_simulator.candles import whole_number
from tests.oanda_simulator.model import Order, Trade
from tests.oanda_simulator.order_requests import extensions, order_request
from tests.oanda_simulator.placing import place
from tests.oanda_simulator.reply import Reply, error, of_account
from tests.oanda_simulator.values import Fields, csv_of, invalid

_MOST, _DEFAULT = 500, 50
Item = TypeVar("Item", Order, Trade)


def _page(call: Call, items: Sequence[Item], path: str) -> tuple[list[Item], dict[str, str]]:
    """Return a page of a list, newest first, and a ``Link`` header to the next if there is one."""
    ids = set(csv_of(call.query.get("ids", "")))
    instrument = call.query.get("instrument")
    count = whole_number(call.query, "count", _DEFAULT, 1, _MOST)
    before = whole_number(call.query, "beforeID", 2**62, 1, 2**62)
    chosen = [
        item
        for item in reversed(items)
        if item.id < before and (not ids or str(item.id) in ids) and instrument in {None, item.instrument}
    ]
    headers = {}
    if len(chosen) > count:
        query = {**call.query, "beforeID": str(chosen[count - 1].id)}
        url = f"{call.base_url}/v3/accounts/{call.account.id}/{path}?{urlencode(query)}"
        headers["Link"] = f'<{url}>; rel="next"'
    return chosen[:count], headers


def list_orders(call: Call) -> Reply:
    """List orders of a state, by default the pending ones."""
    state = call.query.get("state", "PENDING")
    if state not in {"PENDING", "FILLED", "TRIGGERED", "CANCELLED", "ALL"}:
        raise invalid("state")
    known = call.account.pending() if state == "PENDING" else list(call.account.orders.values())
    wanted = [each for each in known if state in {"ALL", each.state} and _visible(call, each.created)]
    page, headers = _page(call, wanted, "orders")
    return _with(of_account(call.account, {"orders": [each.fields() for each in page]}), headers)


def _with(reply: Reply, headers: dict[str, str]) -> Reply:
    reply.headers.update(headers)
    return reply


def _visible(call: Call, created_ns: int) -> bool:
    return call.faults.visible(created_ns, call.venue.clock.now())


def pending_orders(call: Call) -> Reply:
    """List the orders that work."""
    found = [each.fields() for each in reversed(call.account.pending()) if _visible(call, each.created)]
    return of_account(call.account, {"orders": found})


def get_order(call: Call) -> Reply:
    """Tell one order."""
    order = call.account.find_order(call.parts["order"])
    if order is None or not _visible(call, order.created):
        return _no_such(call, "ORDER", "Order")
    return of_account(call.account, {"order": order.fields()})


def _no_such(call: Call, code: str, name: str) -> Reply:
    reply = error(404, f"The {name.lower()} ID specified does not exist", f"NO_SUCH_{code}")
    reply.body = {**_fields(reply), "lastTransactionID": str(call.account.log.last_id)}
    return reply


def _fields(reply: Reply) -> Fields:
    return reply.body if isinstance(reply.body, dict) else {}


def create_order(call: Call) -> Reply:
    """Take a new order."""
    return place(call.account, order_request(call.body()))


def replace_order(call: Call) -> Reply:
    """Replace a pending order."""
    if hidden := _hidden(call):
        return hidden
    return orders.replace(call.account, call.parts["order"], order_request(call.body()))


def cancel_order(call: Call) -> Reply:
    """Cancel a pending order."""
    return _hidden(call) or orders.cancel_by_client(call.account, call.parts["order"])


def _hidden(call: Call) -> Reply | None:
    """Answer for an order that the venue took and does not show yet."""
    order = call.account.find_order(call.parts["order"])
    return _no_such(call, "ORDER", "Order") if order is not None and not _visible(call, order.created) else None


def order_extensions(call: Call) -> Reply:
    """Change the client extensions of an order."""
    body = call.body()
    own, trade = (
        extensions(body[name], name) if body.get(name) is not None else None
        for name in ("clientExtensions", "tradeClientExtensions")
    )
    return orders.set_extensions(call.account, call.parts["order"], own, trade)


def list_trades(call: Call) -> Reply:
    """List trades of a state, by default the open ones."""
    state = call.query.get("state", "OPEN")
    if state not in {"OPEN", "CLOSED", "CLOSE_WHEN_TRADEABLE", "ALL"}:
        raise invalid("state")
    known = list(call.account.trades.values()) if state in {"CLOSED", "ALL"} else call.account.open_trades()
    wanted = [each for each in known if state in {"ALL", each.state} and _visible(call, each.opened)]
    page, headers = _page(call, wanted, "trades")
    return _with(of_account(call.account, {"trades": _shown(call, views.trade_full, page)}), headers)


def _shown(call: Call, view: Callable[..., Fields], found: Sequence[Trade]) -> list[Fields]:
    return [view(call.account, each) for each in found]


def open_trades(call: Call) -> Reply:
    """List the open trades."""
    found = [each for each in reversed(call.account.open_trades()) if _visible(call, each.opened)]
    return of_account(call.account, {"trades": _shown(call, views.trade_full, found)})


def get_trade(call: Call) -> Reply:
    """Tell one trade."""
    trade = call.account.find_trade(call.parts["trade"])
    if trade is None or not _visible(call, trade.opened):
        return _no_such(call, "TRADE", "Trade")
    return of_account(call.account, {"trade": views.trade_full(call.account, trade)})


def close_trade(call: Call) -> Reply:
    """Close a trade."""
    return closing.close(call.account, call.parts["trade"], call.body())


def trade_orders(call: Call) -> Reply:
    """Set the dependent orders of a trade."""
    return protecting.set_orders(call.account, call.parts["trade"], call.body())


def trade_extensions(call: Call) -> Reply:
    """Change the client extensions of a trade."""
    given = extensions(call.body().get("clientExtensions"), "clientExtensions")
    return protecting.set_extensions(call.account, call.parts["trade"], given)
