"""Carrying out what reconciliation asks for: at start, after each reconnect, and as the periodic proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atrader.clock import NS_PER_S, Clock
from atrader.errors import AtraderError, ConfigError, StoreError
from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.ids import intent_id_of
from atrader.orders.model import Trade
from broker_api.adapter import Adapter, AnyReport, BrokerTrade, FillReport, OrderReport, Snapshot, SwapReport
from broker_api.gateway.adoption import Adoption
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.apply import Bookkeeper
from broker_api.gateway.book import Book
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.gate import Gate
from broker_api.gateway.lookups import Lookups
from broker_api.gateway.moves import Moves
from broker_api.gateway.submit import Submitter
from broker_api.gateway.take_over import TakeOvers
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Journal
from broker_api.reconcile import (
    AccountBreak,
    Action,
    AdoptOrder,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    JournalState,
    MarkForeignTrade,
    NoteProtection,
    Resume,
    TakeTerms,
    reconcile,
)
from broker_api.reconcile.reconcile import ANY_INSTRUMENT

_ROUNDS: Final = 10  # each round works something in; more means that broker and journal chase each other
_LONG_BEHIND_NS: Final = 10 * NS_PER_S  # for a moment a broker may be behind what it said
_EARLIER_LIFE: Final = "the gateway restarted or reconnected before the answer came"


class Reconciler:
    """Brings journal and broker together.

    Attributes
    ----------
    breaks : dict of str to str
        Instruments that do not add up, and why. They are locked for opens until they do.
    told : Snapshot or None
        The broker's truth that was compared last, and ``told_ns`` when (market time, UTC ns).
    """

    def __init__(
        self,
        adapter: Adapter,
        book: Book,
        bookkeeper: Bookkeeper,
        submitter: Submitter,
        lookups: Lookups,
        gate: Gate,
        valuation: Valuation,
        journal: Journal,
        moves: Moves,
        adoption: Adoption,
        take_overs: TakeOvers,
        budget: Budget,
        alerts: Alerts,
        clock: Clock,
    ) -> None:
        self._adapter = adapter
        self._book = book
        self._bookkeeper = bookkeeper
        self._submitter = submitter
        self._lookups = lookups
        self._gate = gate
        self._valuation = valuation
        self._journal = journal
        self._moves = moves
        self._adoption = adoption
        self._take_overs = take_overs
        self._budget = budget
        self._alerts = alerts
        self._clock = clock
        self.breaks: dict[str, str] = {}
        self.told: Snapshot | None = None
        self.told_ns = 0
        self._behind_since_ns: int | None = None
        self._told_behind = 0

    async def run(self) -> bool:
        """Compare and carry out until only what cannot be settled now is left.

        May be repeated at any time: a second run changes nothing.

        Returns
        -------
        bool
            False when it could not be finished because the broker was busy or away; the breaks are then as before.

        Raises
        ------
        AtraderError
            Whatever the adapter raises; nothing was concluded from that.
        """
        for _ in range(_ROUNDS):
            await self._budget.take(Priority.QUERY)
            known = self._bookkeeper.newest
            snapshot = await self._adapter.snapshot()
            if snapshot.watermark < known:
                self._note_behind(snapshot.watermark, known)
                continue
            self._behind_since_ns = None
            reports = await self._reports(snapshot)
            self._bookkeeper.note(reports)
            if self._bookkeeper.newest > snapshot.watermark:
                continue  # something newer was worked in meanwhile: the snapshot is old
            actions = reconcile(self._state(snapshot, reports), snapshot, reports)
            if await self._carry_out(actions):
                continue
            if self._bookkeeper.newest <= snapshot.watermark and self._take_overs.settle(snapshot):
                continue  # the proof is made anew with what is ours now
            self._conclude(snapshot, actions)
            return True
        return False

    def _note_behind(self, newest: int, known: int) -> None:
        """Tell once of a broker that knows less than it has said: nothing in the journal can be held against it."""
        now_ns = self._clock.now_ns()
        if self._behind_since_ns is None:
            self._behind_since_ns = now_ns
        if now_ns - self._behind_since_ns >= _LONG_BEHIND_NS and self._told_behind != known:
            self._told_behind = known
            text = (
                f"the broker's newest transaction is {newest}, and ours is {known}: its account has begun"
                " anew, or what it told is lost. Nothing opens; if it stays so, give the account a new file with"
                " another name"
            )
            self._alerts.alert("broker-behind", text)

    async def _reports(self, snapshot: Snapshot) -> Sequence[AnyReport]:
        if self._is_new_account(snapshot):
            # Its log may be years long, and all that is left of it are the tickets, or what is taken over.
            self._bookkeeper.advance(snapshot.watermark)
        try:
            return await self._adapter.reports_since(self._bookkeeper.watermark)
        except StoreError as error:  # the broker no longer has them: its snapshot is what we go by
            self._alerts.alert("reports-missing", f"{error.message}; fills may be missing, see the breaks")
            self._bookkeeper.advance(snapshot.watermark)
            return ()

    def _is_new_account(self, snapshot: Snapshot) -> bool:
        """Tell whether this is our first life on an account whose snapshot says all that is left of its past."""
        capabilities = self._adapter.capabilities
        return (
            not self._bookkeeper.watermark
            and (capabilities.hedging or self._take_overs.explain(snapshot))
            and not capabilities.price_driven
            and not self._journal.read.recent_intents(0, 1)
        )

    def _state(self, snapshot: Snapshot, reports: Sequence[AnyReport]) -> JournalState:
        orders = {order.client_id: order for order in self._book.open_orders()}
        mentioned = {r.client_id for r in (*reports, *snapshot.orders) if isinstance(r, OrderReport)}
        for client_id in mentioned - orders.keys():
            entry = self._book.entry(client_id)
            if entry is not None:
                orders[client_id] = entry.order
        fills = {r.fill_id for r in reports if isinstance(r, FillReport) and self._bookkeeper.has_fill(r.fill_id)}
        swaps = {(r.transaction_id, r.part) for r in reports if isinstance(r, SwapReport)}
        return JournalState(
            orders=orders,
            trades=self._book.ledger.open_trades(),
            fills=frozenset(fills),
            swaps=frozenset(swap for swap in swaps if self._bookkeeper.has_swap(*swap)),
            in_hand=self._submitter.in_hand | self._lookups.in_hand,
            hedging=self._adapter.capabilities.hedging,
        )

    async def _carry_out(self, actions: list[Action]) -> bool:
        """Return whether something changed, so that the comparison has to be made again."""
        changed = False
        for action in actions:
            if isinstance(action, ApplyReports):
                changed = self._bookkeeper.apply(action.reports) > 0
            elif isinstance(action, FindOrder):
                changed |= await self._find(action.client_id)
            elif isinstance(action, Resume):
                self._resume(action.client_id)
            elif isinstance(action, NoteProtection):
                changed |= self._protect(action)
            elif isinstance(action, AdoptOrder):
                self._adopt(action)
            elif isinstance(action, TakeTerms):
                self._take_terms(action)
            elif isinstance(action, MarkForeignTrade):
                self._mark_foreign(action.held)
            elif isinstance(action, DropForeignTrade):
                self._drop_foreign(action.trade_id)
        return changed

    async def _find(self, client_id: str) -> bool:
        entry = self._book.entry(client_id)
        if entry is not None and entry.order.state in ("SENT", "UNKNOWN"):
            self._lookups.start(entry, _EARLIER_LIFE, at_once=True)
            return False
        await self._budget.take(Priority.QUERY)
        reports = await self._adapter.find(client_id, 0 if entry is None else entry.watermark)
        return reports is not None and self._bookkeeper.apply(reports) > 0

    def _resume(self, client_id: str) -> None:
        entry = self._book.entry(client_id)
        if entry is not None:
            self._submitter.resume(entry)

    def _protect(self, action: NoteProtection) -> bool:
        held, batch = action.held, Batch(self._book.account)
        zero = 0 * held.units  # removes a price that the broker no longer holds
        protection = {
            "stop_loss": held.stop_loss or zero,
            "take_profit": held.take_profit or zero,
            "trailing_distance": held.trailing_distance or zero,
        }
        before = self._book.ledger.trade(action.trade_id)
        changed = self._bookkeeper.protect(action.trade_id, protection, batch)
        if changed:
            self._journal.stage(batch)
        if before is not None and before.magic != FOREIGN_MAGIC and before.stop_loss and not held.stop_loss:
            self._note_stop_gone(before)
        return changed

    def _note_stop_gone(self, trade: Trade) -> None:
        """Tell people of a stop that nobody of us took away: a person did, or the broker."""
        for order in self._book.open_orders():  # a change whose answer has not come yet may have done it
            if order.intent.action in ("modify", "close") and order.intent.trade_id == trade.trade_id:
                return
        self._alerts.alert(
            "stop-gone",
            f"trade {trade.trade_id} ({trade.side} {trade.units:f} {trade.instrument}) had a stop at {trade.stop_loss},"
            " and the broker has none any more: nothing ends it by itself",
            instrument=trade.instrument,
            magic=trade.magic,
        )

    def _adopt(self, action: AdoptOrder) -> None:
        intent_id = intent_id_of(action.report.client_id)
        if intent_id is not None:
            batch = Batch(self._book.account)
            intent = self._adoption.of_order(action.report, action.terms, intent_id, batch).order.intent
            trade = self._book.ledger.trade(intent.trade_id or "") if intent.is_net_stop else None
            if trade is not None and trade.stop_loss is None and intent.price is not None:
                self._bookkeeper.protect(trade.trade_id, {"stop_loss": intent.price}, batch)
            self._journal.stage(batch)

    def _take_terms(self, action: TakeTerms) -> None:
        entry = self._book.entry(action.client_id)
        if entry is None:
            return
        order, terms, batch = entry.order, action.terms, Batch(self._book.account)
        units = order.units if order.filled_units else terms.units
        intent = order.intent.model_copy(update={"price": terms.price})
        self._alerts.alert(
            "order-moved",
            f"{order.client_id}: {order.units} at {order.intent.price} here, {terms.units} at {terms.price} there",
            instrument=order.intent.instrument,
            magic=order.intent.magic,
        )
        self._moves.rewrite(entry, batch, intent=intent, units=units)
        self._journal.stage(batch)

    def _mark_foreign(self, held: BrokerTrade) -> None:
        known = self._book.trade_of_ticket(held.broker_trade_id)
        trade = Trade(
            trade_id=f"foreign-{held.broker_trade_id}",
            account=self._book.account,
            magic=FOREIGN_MAGIC,
            instance="",
            instrument=held.instrument,
            side=held.side,
            units_opened=held.units,
            units=held.units,
            open_time_ns=held.open_time_ns,
            open_price=held.open_price,
            stop_loss=held.stop_loss or None,
            take_profit=held.take_profit or None,
            trailing_distance=held.trailing_distance or None,
            broker_trade_id=held.broker_trade_id,
            version=1 if known is None else known.version + 1,
        )
        others = (other for other in self._book.ledger.open_trades() if other is not known)
        self._book.ledger.restore([*others, trade])
        if known is None:
            self._alerts.foreign_trade(trade)
        self._keep(trade)

    def _drop_foreign(self, trade_id: str) -> None:
        trade = self._book.ledger.trade(trade_id)
        if trade is None:
            return
        self._book.ledger.restore(other for other in self._book.ledger.open_trades() if other is not trade)
        gone = {"units": 0 * trade.units, "close_time_ns": self._clock.now_ns(), "close_reason": "gone"}
        self._keep(trade.model_copy(update={**gone, "version": trade.version + 1}))

    def _keep(self, trade: Trade) -> None:
        batch = Batch(self._book.account)
        batch.trade(trade, self._clock.now_ns())
        self._journal.stage(batch)

    def _conclude(self, snapshot: Snapshot, actions: list[Action]) -> None:
        self._bookkeeper.advance(snapshot.watermark)
        self._valuation.balance = snapshot.account.balance
        self.told, self.told_ns = snapshot, self._clock.now_ns()
        breaks = {action.instrument: action.reason for action in actions if isinstance(action, AccountBreak)}
        self._take_overs.value(snapshot)
        breaks |= self._take_overs.locks(snapshot)
        for instrument in breaks.keys() - self.breaks.keys():
            self._alerts.alert("break", breaks[instrument], instrument=instrument)
        for instrument in self.breaks.keys() - breaks.keys():
            self._alerts.alert("break-over", "the proof holds again: unlocked", instrument=instrument)
        self.breaks = breaks
        self._gate.locks = {
            symbol: reason
            for instrument, reason in breaks.items()
            for symbol in (self._valuation.instruments if instrument == ANY_INSTRUMENT else (instrument,))
        }

    async def try_run(self) -> bool:
        """Run, and take a broker that is away for an answer: the next run will tell."""
        try:
            return await self.run()
        except ConfigError:  # it does not let us in any more: the process ends, and says why
            raise
        except AtraderError as error:
            self._alerts.count("proof-failed")
            self._alerts.log.info("proof-failed", reason=error.message)
            return False
