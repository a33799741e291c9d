"""Which handler serves which path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.oanda_simulator import rest_accounts as accounts
from tests.oanda_simulator import rest_orders as orders
from tests.oanda_simulator import rest_pricing as pricing
from tests.oanda_simulator import rest_transactions as transactions
from tests.oanda_simulator.calls import Handler

_A: Final = "/v3/accounts/{account}"
_TABLE: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v3/accounts", accounts.accounts),
    ("GET", _A, accounts.account),
    ("GET", _A + "/summary", accounts.summary),
    ("GET", _A + "/instruments", accounts.instruments),
    ("PATCH", _A + "/configuration", accounts.configure),
    ("GET", _A + "/changes", accounts.account_changes),
    ("GET", _A + "/instruments/{instrument}/candles", pricing.instrument_candles),
    ("GET", _A + "/candles/latest", pricing.latest_candles),
    ("GET", _A + "/pricing", pricing.pricing),
    ("POST", _A + "/orders", orders.create_order),
    ("GET", _A + "/orders", orders.list_orders),
    ("GET", _A + "/pendingOrders", orders.pending_orders),
    ("GET", _A + "/orders/{order}", orders.get_order),
    ("PUT", _A + "/orders/{order}", orders.replace_order),
    ("PUT", _A + "/orders/{order}/cancel", orders.cancel_order),
    ("PUT", _A + "/orders/{order}/clientExtensions", orders.order_extensions),
    ("GET", _A + "/trades", orders.list_trades),
    ("GET", _A + "/openTrades", orders.open_trades),
    ("GET", _A + "/trades/{trade}", orders.get_trade),
    ("PUT", _A + "/trades/{trade}/close", orders.close_trade),
    ("PUT", _A + "/trades/{trade}/orders", orders.trade_orders),
    ("PUT", _A + "/trades/{trade}/clientExtensions", orders.trade_extensions),
    ("GET", _A + "/positions", accounts.positions),
    ("GET", _A + "/openPositions", accounts.open_positions),
    ("GET", _A + "/positions/{instrument}", accounts.position),
    ("PUT", _A + "/positions/{instrument}/close", accounts.close_position),
    ("GET", _A + "/transactions", transactions.pages),
    ("GET", _A + "/transactions/idrange", transactions.id_range),
    ("GET", _A + "/transactions/sinceid", transactions.since),
    ("GET", _A + "/transactions/{transaction}", transactions.one),
)
STREAM_PATHS: Final = frozenset({"/pricing/stream", "/transactions/stream"})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


_ROUTES: Final = tuple((method, _pattern(path), handler) for method, path, handler in _TABLE)
_STREAM: Final = _pattern(_A + "/{kind}/stream")


class Route(NamedTuple):
    """Where a path leads. ``handler`` is None when the path exists with another method only."""

    handler: Handler | None
    parts: Mapping[str, str]


def route(method: str, path: str) -> Route | None:
    """Return where a REST path leads, None if nowhere."""
    if path.endswith(tuple(STREAM_PATHS)):
        return None
    other: Route | None = None
    for wanted, pattern, handler in _ROUTES:
        if match := pattern.fullmatch(path):
            if wanted == method:
                return Route(handler, match.groupdict())
            other = Route(None, match.groupdict())
    return other


def stream_route(path: str) -> Mapping[str, str] | None:
    """Return account and kind (``pricing`` or ``transactions``) of a stream's path, None if it is none."""
    match = _STREAM.fullmatch(path)
    return match.groupdict() if match and match["kind"] in {"pricing", "transactions"} else None
