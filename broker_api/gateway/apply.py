"""Reports of the broker become facts: orders move, fills are booked, each once, whatever arrives how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from atrader.netting import shares_of
from atrader.orders.ids import intent_id_of
from atrader.orders.model import Intent, Trade
from atrader.orders.states import TERMINAL, OrderState
from broker_api.adapter import AnyReport, FillReport, NoticeReport, OrderReport, SwapReport
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.day import DayKeeper
from broker_api.gateway.fills import FillBooking
from broker_api.gateway.moves import Moves
from broker_api.gateway.publish import Publisher
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Entry, Journal

_WATERMARK: Final = "watermark"
_REMEMBERED: Final = 10_000
_FILL_STATES: Final = frozenset({OrderState.PARTIAL, OrderState.FILLED})


class Bookkeeper:
    """Works reports in. Synchronous: a report is worked in whole, or not yet.

    Everything is handed to the journal before this returns and published with its commit; who needs it on disk waits
    for `Journal.settle`.

    Attributes
    ----------
    watermark : int
        Every transaction up to this id is certainly worked in; kept in the journal. Reports may overtake each other,
        so it is only advanced by complete answers (`advance`).
    newest : int
        Highest transaction id seen.
    on_change : callable
        Told when orders or trades may have changed.
    on_fill : callable
        Told of each fill that was booked.
    """

    def __init__(
        self,
        book: Book,
        moves: Moves,
        fills: FillBooking,
        journal: Journal,
        publisher: Publisher,
        valuation: Valuation,
        day: DayKeeper,
        alerts: Alerts,
    ) -> None:
        self._book = book
        self._moves = moves
        self._fills = fills
        self._journal = journal
        self._publisher = publisher
        self._valuation = valuation
        self._day = day
        self._alerts = alerts
        self._seen: set[str] = set()
        self.watermark = int(journal.read.meta(_WATERMARK) or 0)
        self.newest = self.watermark
        self.on_change: Callable[[], None] = _nothing
        self.on_fill: Callable[[], None] = _nothing

    def apply(self, reports: Sequence[AnyReport]) -> int:
        """Work reports in; return how many of them were news."""
        batch = Batch(self._book.account)
        self._keep_answers(reports, batch)
        news = sum([self._apply_one(report, batch) for report in reports])
        if batch.statements:
            self._journal.stage(batch)
            self.on_change()
        return news

    def note(self, reports: Sequence[AnyReport]) -> None:
        """Keep what the broker said in its own words, and tell people what they need to know; nothing is worked in."""
        batch = Batch(self._book.account)
        self._keep_answers(reports, batch)
        if batch.statements:
            self._journal.stage(batch)

    def advance(self, watermark: int) -> None:
        """Declare that every transaction up to this id was worked in."""
        if len(self._seen) > _REMEMBERED and not self._journal.waiting:  # all of them are on disk: asked for there
            self._seen.clear()
        if watermark <= self.watermark:
            return
        self.watermark = watermark
        self.newest = max(self.newest, watermark)
        batch = Batch(self._book.account)
        batch.meta(_WATERMARK, str(watermark))
        self._journal.stage(batch)

    def has_fill(self, fill_id: str) -> bool:
        """Tell whether an execution is booked."""
        return fill_id in self._seen or self._journal.read.has_fill(fill_id)

    def has_swap(self, transaction_id: int, part: int) -> bool:
        """Tell whether financing is booked."""
        return f"swap {transaction_id}/{part}" in self._seen or self._journal.read.has_swap(transaction_id, part)

    def _keep_answers(self, reports: Sequence[AnyReport], batch: Batch) -> None:
        for report in reports:
            if not report.raw or (name := f"answer {report.transaction_id}") in self._seen:
                continue
            self._seen.add(name)
            if self._journal.read.broker_answer(report.transaction_id) is not None:
                continue
            batch.broker_answer(report.transaction_id, report.time_ns, report.raw)
            if isinstance(report, NoticeReport) and report.text:
                self._alerts.alert("broker-notice", report.text)

    def _apply_one(self, report: AnyReport, batch: Batch) -> bool:
        self.newest = max(self.newest, report.transaction_id)
        if isinstance(report, FillReport):
            if self.has_fill(report.fill_id):
                return False
            self._seen.add(report.fill_id)
            self._fills.book(report, batch)
            self.on_fill()
            return True
        if isinstance(report, SwapReport):
            return self._apply_swap(report, batch)
        return isinstance(report, OrderReport) and self._apply_state(report, batch)

    def _apply_state(self, report: OrderReport, batch: Batch) -> bool:
        entry = self._book.entry(report.client_id)
        if entry is None:
            self._alerts.count("stray-order" if intent_id_of(report.client_id) else "foreign-order")
            return False
        before = entry.order.state
        if report.state is before or report.state in _FILL_STATES:  # fills speak for themselves
            if report.state is OrderState.WORKING and report.broker_id != entry.order.broker_id:  # replaced by another
                self._moves.rewrite(entry, batch, broker_id=report.broker_id)
            return False
        if before is OrderState.NEW:  # the adapter took back that it was never executed
            self._moves.move(entry, OrderState.SENT, batch)
        if self._moves.move(entry, report.state, batch, reason=report.reason, broker_id=report.broker_id):
            if report.state is OrderState.DONE:
                self.carry_out(entry.order.intent, batch)
            return True
        self._note_impossible(entry, report)
        return False

    def _note_impossible(self, entry: Entry, report: OrderReport) -> None:
        order = entry.order
        if report.state in TERMINAL and order.state in TERMINAL:
            self._alerts.alert(
                "order-conflict",
                f"order {order.client_id} is {order.state}, the broker now says {report.state} ({report.reason})",
                instrument=order.intent.instrument,
                magic=order.intent.magic,
            )
        else:
            self._alerts.count("late-report")

    def carry_out(self, intent: Intent, batch: Batch) -> None:
        """Bring trade or order in line with a modification that is done."""
        if intent.action != "modify":
            return
        protection = self._fills.protection_of(intent)
        if intent.trade_id is not None:
            self.protect(intent.trade_id, protection, batch)
            return
        entry = self._book.entry(intent.order_id or "")
        if entry is None:
            return
        changes: dict[str, object] = {name: value or None for name, value in protection.items()}
        if intent.price is not None:
            changes["price"] = intent.price
        update: dict[str, object] = {}
        if intent.keeps_protection and intent.units is not None:
            changes["units"] = update["units"] = intent.units
        # The digest stays that of the intent as it came, so that its repetition is still recognised.
        self._moves.rewrite(entry, batch, intent=entry.order.intent.model_copy(update=changes), **update)

    def protect(self, trade_id: str, protection: dict[str, Decimal], batch: Batch) -> bool:
        """Note a trade's protection as it is now; False when nothing changed or the trade is closed."""
        before = self._book.ledger.trade(trade_id)
        if before is None:
            return False
        after = self._book.ledger.protect(trade_id, **protection)
        if after is before:
            return False
        self._note_trade(after, batch)
        self.on_change()
        return True

    def _apply_swap(self, report: SwapReport, batch: Batch) -> bool:
        if self.has_swap(report.transaction_id, report.part):
            return False
        self._seen.add(f"swap {report.transaction_id}/{report.part}")
        batch.swap(report.transaction_id, report.part, report.model_dump_json(exclude={"raw"}))
        self._valuation.balance += report.amount
        for trade, amount in self._shares(report):
            after = self._book.ledger.add_swap(trade.trade_id, amount)
            self._note_trade(after, batch)
            if trade.magic:
                self._day.booked(trade.magic, amount, batch)
        return True

    def _shares(self, report: SwapReport) -> list[tuple[Trade, Decimal]]:
        """Divide financing: to its ticket, or among the trades of a net position."""
        if report.broker_trade_id is not None:
            held = self._book.trade_of_ticket(report.broker_trade_id)
            return [] if held is None else [(held, report.amount)]
        return shares_of(report.amount, self._book.ledger.open_trades(instrument=report.instrument))

    def _note_trade(self, trade: Trade, batch: Batch) -> None:
        self._publisher.note_trade(trade, batch.trade(trade, self._moves.now_ns()))


def _nothing() -> None:
    """Tell nobody: nobody listens yet."""
