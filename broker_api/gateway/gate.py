"""The risk gate at the gateway: what the rules need to know, put together for one intent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from atrader.clock import NS_PER_S, Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.orders.model import Intent
from atrader.risk import Allow, Deny, RiskDay, RiskLimits, RiskState, evaluate, resolve_units
from atrader.risk.pace import Pace
from broker_api.gateway.book import Book
from broker_api.gateway.day import DayKeeper
from broker_api.gateway.trading_states import TradingStateReader
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Journal

_MINUTE_NS: Final = 60 * NS_PER_S
_RESTORED: Final = 5000  # newest intents looked at after a restart


class Gate:
    """Asks the rules about each intent, with the account as it is at that moment.

    Attributes
    ----------
    locks : dict of str to str
        Instruments that may not be opened, and why; the proof keeps them.
    limits : RiskLimits
        Of the account.
    instances : Mapping of int to InstanceConfig
        Instances of this account by magic number.
    selecting : frozenset of str
        Those that open only in the markets they are made for.
    """

    def __init__(
        self,
        account: AccountConfig,
        instances: Mapping[int, InstanceConfig],
        book: Book,
        valuation: Valuation,
        day: DayKeeper,
        states: TradingStateReader,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self.locks: dict[str, str] = {}
        self.configure(account, instances)
        self._book = book
        self._valuation = valuation
        self._day = day
        self._states = states
        self._journal = journal
        self._clock = clock
        self._pace = Pace()
        for magic, created_ns in journal.read.recent_intents(clock.now_ns() - _MINUTE_NS, _RESTORED):
            self.count_intent(magic, created_ns)

    def configure(self, account: AccountConfig, instances: Mapping[int, InstanceConfig]) -> None:
        """Take these limits and instances from now on, all of them or (when it raises) none."""
        limits_of = {magic: RiskLimits.of(account, config) for magic, config in instances.items()}
        self.limits = RiskLimits.of(account)
        self.instances = instances
        self.selecting = frozenset(config.name for config in instances.values() if config.selection is not None)
        self._limits_of = limits_of

    def count_intent(self, magic: int, time_ns: int) -> None:
        """Count an intent towards the orders per minute."""
        self._pace.count(magic, time_ns)

    def judge(self, intent: Intent, counted_ns: int | None = None) -> tuple[Decimal | None, Allow | Deny]:
        """Size an intent and decide whether it may be sent.

        Parameters
        ----------
        intent : Intent
            What is wanted.
        counted_ns : int, optional
            When it was counted towards the orders per minute, if it is judged again: it does not count against itself.

        Returns
        -------
        units : Decimal or None
            Resolved units of an open.
        verdict : Allow or Deny
            The first rule that objects.
        """
        state = self.state(intent, counted_ns)
        limits = self._limits_of.get(intent.magic, self.limits)
        units = resolve_units(state, intent) if intent.action == "open" else None
        return units, evaluate(limits, state, intent, units)

    def state(self, intent: Intent | None = None, counted_ns: int | None = None) -> RiskState:
        """Put together what the rules see; exits and cancels need little of it."""
        light = intent is not None and intent.action in ("close", "cancel")
        now_ns = self._clock.now_ns()
        trades = () if light else self._book.ledger.open_trades()
        orders = () if light else self._book.open_orders()
        symbols = {item.instrument for item in trades} | {order.intent.instrument for order in orders}
        if intent is not None and not light:
            symbols.add(intent.instrument)
        worth = self._valuation.worth(trades)
        return RiskState(
            now_ns=now_ns,
            balance=worth.balance,
            equity=worth.equity,
            margin_used=worth.margin_used,
            day=self._day_at(now_ns),
            instruments=self._valuation.instruments,
            quotes=self._valuation.quotes(symbols, now_ns),
            home_rates=self._valuation.home_rates(symbols),
            trades=trades,
            orders=orders,
            floating=worth.floating,
            unvalued=worth.unvalued,
            recent_intents={}
            if intent is None
            else {intent.magic: self._pace.recent(intent.magic, now_ns, counted_ns)},
            locked=self.locks if intent is None else {**self.locks, **self._book.unknown_fences(intent.magic)},
            trading_state=self._states.of_account(),
            instance_states=self._states.of_instances(config.name for config in self.instances.values()),
            selected_out=self._states.selected_out(config.name for config in self.instances.values()),
        )

    def _day_at(self, now_ns: int) -> RiskDay:
        if self._day.day is not None:
            return self._day.day
        return self.roll_day(now_ns)

    def roll_day(self, now_ns: int) -> RiskDay:
        """Work the present valuation into the risk day; what changed is journaled with the next commit."""
        worth = self._valuation.worth(self._book.ledger.open_trades())
        batch = Batch(self._book.account)
        day = self._day.value(now_ns, worth, self._valuation.newest_ns, batch)
        if batch.statements:
            self._journal.stage(batch)
        return day
