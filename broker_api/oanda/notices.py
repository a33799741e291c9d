"""What a person should be told of transactions that concern no order of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker_api.oanda.codec import Fields

_TEXTS: Final[Mapping[str, str]] = {
    "MARGIN_CALL_ENTER": "margin call: the account has to be funded or positions closed, or the broker closes them",
    "MARGIN_CALL_EXTEND": "the margin call goes on",
    "MARGIN_CALL_EXIT": "the margin call is over",
    "DELAYED_TRADE_CLOSURE": "the broker closes trades {tradeIDs} as soon as their market opens ({reason})",
    "TRANSFER_FUNDS": "funds were transferred: {amount} ({fundingReason})",
    "CLOSE": "the broker closed the account",
    "CLIENT_CONFIGURE": "the account was configured anew: margin rate {marginRate}, alias {alias}",
}


def notice_text(item: Fields) -> str:
    """Return what to tell; empty when nobody needs to know."""
    if item.text("type") == "ORDER_FILL":
        return f"fill {item.text('id')} does not say what was executed: compare the account with the broker's"
    template = _TEXTS.get(item.text("type"), "")
    return template.format_map(_Told(item)) if template else ""


class _Told(dict[str, str]):
    def __init__(self, item: Fields) -> None:
        super().__init__()
        self._item = item

    def __missing__(self, name: str) -> str:
        told = self._item.source.get(name)
        return ", ".join(map(str, told)) if isinstance(told, list) else self._item.text(name) or "not told"
