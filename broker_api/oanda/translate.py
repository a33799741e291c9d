"""Transactions of OANDA as reports. Every transaction gives at least one, and its raw text goes along once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from atrader.orders.states import OrderState
from broker_api.adapter import AnyReport, NoticeReport, OrderReport
from broker_api.oanda.codec import Fields
from broker_api.oanda.fills import fills_of
from broker_api.oanda.financing import dividends_of, financing_of
from broker_api.oanda.ids import OrderIds, magic_of, ours
from broker_api.oanda.notices import notice_text
from broker_api.oanda.reasons import DUPLICATE_ORDER, EXPIRED, REPLACED, reason_of

_ENTRIES: Final = frozenset({"LIMIT_ORDER", "STOP_ORDER", "MARKET_IF_TOUCHED_ORDER"})
_REJECT: Final = "_ORDER_REJECT"
_REMEMBERED: Final = 20_000  # tickets; more than an account may hold at once


class Translator:
    """Turns transactions into reports, in the order of their ids.

    Parameters
    ----------
    hedging : bool
        Whether executions are told ticket by ticket.
    ids : OrderIds
        Whose the orders are; learns from what is translated.
    anonymous : bool
        Whether the account cannot carry our ids (linked to MT4): the journal is asked whose an order is.
    """

    def __init__(self, ids: OrderIds, *, hedging: bool, anonymous: bool) -> None:
        self._ids = ids
        self._hedging = hedging
        self._anonymous = anonymous
        self._magics: dict[str, int] = {}  # of tickets, as the broker carries them
        self._kinds: Mapping[str, Callable[[Fields, str | None], Sequence[AnyReport]]] = {
            "MARKET_ORDER": self._market_order,
            "ORDER_FILL": self._fill,
            "ORDER_CANCEL": self._cancel,
            "ORDER_CANCEL_REJECT": self._cancel_reject,
            "DAILY_FINANCING": lambda item, _: financing_of(item, hedging=hedging),
            "DIVIDEND_ADJUSTMENT": lambda item, _: dividends_of(item, hedging=hedging),
            **dict.fromkeys(_ENTRIES, self._entry_order),
        }

    def all_of(self, transactions: Iterable[Fields], request_id: str | None = None) -> list[AnyReport]:
        """Return the reports of several transactions; see `of`."""
        return [report for item in transactions for report in self.of(item, request_id)]

    def of(self, item: Fields, request_id: str | None = None) -> Sequence[AnyReport]:
        """Return the reports of one transaction.

        Parameters
        ----------
        item : Fields
            The transaction; of whatever type, with whatever fields.
        request_id : str, optional
            Client id of the intent whose request made it, when that is known for certain: it is in our reply. Else
            the broker may repeat it.
        """
        kind = item.text("type")
        asked_by = request_id or ours(item.text("requestID"))
        translate = self._kinds.get(kind)
        if translate is not None:
            found = translate(item, asked_by)
        elif kind.endswith(_REJECT):
            found = self._reject(item, asked_by)
        else:
            found = self._done(item, asked_by)
        reports = [*found] or [self._notice(item)]
        reports[0] = reports[0].model_copy(update={"raw": item.raw()})
        return reports

    def know_ticket(self, broker_trade_id: str, tag: str) -> None:
        """Take note of whose a ticket is, as the broker carries it."""
        magic = magic_of(tag)
        if magic is not None:
            self._magics[broker_trade_id] = magic
            if len(self._magics) > _REMEMBERED:
                del self._magics[next(iter(self._magics))]

    def _market_order(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        """Learn whose it is: what became of it follows in the same batch."""
        owner = ours(item.within("clientExtensions").text("id")) or asked_by or self._closer(item)
        if owner is None and self._anonymous:
            owner = self._ids.of_journal(item.text("id"))
        if owner is not None:
            self._ids.learn(item.text("id"), owner)
        return ()

    def _entry_order(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        broker_id, replaces = item.text("id"), item.text("replacesOrderID")
        carried = item.within("clientExtensions").text("id")
        owner = self._owner(replaces or broker_id, carried)
        if owner is None and not carried and not replaces:
            owner = asked_by
        if owner is None:
            return ()
        self._ids.learn(broker_id, owner)
        return [self._state(item, owner, broker_id, OrderState.WORKING)]

    def _reject(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        code = item.text("rejectReason")
        if item.text("intendedReplacesOrderID") or item.text("tradeID"):
            owner = asked_by  # a modification was refused; what it was to modify goes on
        else:
            owner = ours(item.within("clientExtensions").text("id")) or asked_by or self._closer(item)
        if owner is None or code == DUPLICATE_ORDER:
            return ()
        return [self._state(item, owner, item.text("id"), OrderState.REJECTED, reason_of(code))]

    def _cancel(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        broker_id, code = item.text("orderID"), item.text("reason")
        owner = self._owner(broker_id, item.text("clientOrderID"))
        reports: list[AnyReport] = []
        if owner is not None and code != REPLACED:
            # What ends in the batch that made it never worked.
            refused = item.text("batchID") == broker_id
            state = OrderState.EXPIRED if code == EXPIRED else OrderState.CANCELLED
            reports.append(
                self._state(item, owner, broker_id, OrderState.REJECTED if refused else state, reason_of(code))
            )
        if asked_by != owner:
            reports += self._done(item, asked_by)
        return reports

    def _cancel_reject(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        if asked_by is None:
            return ()
        reason = reason_of(item.text("rejectReason"))
        return [self._state(item, asked_by, item.text("orderID"), OrderState.REJECTED, reason)]

    def _fill(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        owner = self._owner(item.text("orderID"), item.text("clientOrderID"))
        opened = item.within("tradeOpened")
        if opened:
            self.know_ticket(opened.text("tradeID"), opened.within("clientExtensions").text("tag"))
        return fills_of(item, owner, self._magics, hedging=self._hedging)

    def _done(self, item: Fields, asked_by: str | None) -> Sequence[AnyReport]:
        """Report a request as carried out, with the first of the transactions that it made."""
        first = item.text("batchID") in ("", item.text("id"))
        if asked_by is None or not first or item.text("type").endswith("_REJECT"):
            return ()
        return [self._state(item, asked_by, item.text("id"), OrderState.DONE)]

    def _owner(self, broker_id: str, carried: str) -> str | None:
        owner = self._ids.of_order(broker_id, carried)
        return self._ids.of_journal(broker_id) if owner is None and self._anonymous and not carried else owner

    def _closer(self, item: Fields) -> str | None:
        closes = item.within("tradeClose")
        if not closes:
            return None
        return self._ids.of_close(closes.text("tradeID"), abs(item.amount("units") or Decimal(0)))

    def _state(self, item: Fields, owner: str, broker_id: str, state: OrderState, reason: str = "") -> OrderReport:
        return OrderReport(
            transaction_id=item.number("id"),
            time_ns=item.time_ns("time"),
            client_id=owner,
            broker_id=broker_id,
            state=state,
            reason=reason,
        )

    def _notice(self, item: Fields) -> NoticeReport:
        return NoticeReport(
            transaction_id=item.number("id"),
            time_ns=item.time_ns("time"),
            kind=item.text("type"),
            text=notice_text(item),
        )
