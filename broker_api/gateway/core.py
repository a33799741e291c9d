"""The gateway's core: one account, from intents to the broker and back. Composes the parts, holds the connection."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from atrader.clock import NS_PER_S, Clock, MarketClock
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.errors import AtraderError, ConfigError, Rejected, Retryable
from atrader.market import Tick
from atrader.messages.gateway import AccountSettings, Orphan
from broker_api.adapter import Adapter, AnyReport, Identified, PriceDriven
from broker_api.backoff import Backoff
from broker_api.gateway.adoption import Adoption
from broker_api.gateway.alerts import Alerts, Log
from broker_api.gateway.apply import Bookkeeper
from broker_api.gateway.assign import Assignments
from broker_api.gateway.book import Book
from broker_api.gateway.budget import Budget
from broker_api.gateway.day import DayKeeper
from broker_api.gateway.fills import CARRIED, FillBooking
from broker_api.gateway.flatten import Flattener
from broker_api.gateway.gate import Gate
from broker_api.gateway.intake import Intake
from broker_api.gateway.lookups import Lookups
from broker_api.gateway.moves import Moves
from broker_api.gateway.net_stops import NetStops
from broker_api.gateway.orphans import Orphans
from broker_api.gateway.own_intents import OwnIntents
from broker_api.gateway.proof_watch import ProofWatch
from broker_api.gateway.publish import Publisher, Stream
from broker_api.gateway.reconciler import Reconciler
from broker_api.gateway.skew_watch import SkewWatch
from broker_api.gateway.submit import Submitter
from broker_api.gateway.take_over import TakeOvers
from broker_api.gateway.tasks import Tasks
from broker_api.gateway.trading_states import TradingStateReader
from broker_api.gateway.unvalued import UnvaluedWatch
from broker_api.gateway.valuation import Valuation
from broker_api.gateway.virtual import Watch
from broker_api.health import BrokerHealth, Health
from broker_api.journal import Batch, Journal

_IDENTITY: Final = "broker-account"  # in the journal: whose it is

RECONNECT_S: Final = 1.0
"""Pause between two attempts to reach the broker at the start."""
_LONGEST_RECONNECT_S: Final = 10.0
_PROMPT_ATTEMPTS: Final = 5  # each second: exits may wait for the connection
_STEADY_S: Final = 10.0  # a connection that lasted so long was one


class Gateway:
    """Everything one account needs, short of sockets.

    Parameters
    ----------
    installation : Installation
        The whole configuration.
    account : AccountConfig
        The account.
    adapter : Adapter
        Its broker.
    journal : Journal
        Open; restored from at once.
    stream : Stream
        Where events are published.
    clock : Clock
        Market time.
    host_clock : Clock
        Time of the host: time-outs, budgets, look-ups.
    pause_clock : Clock
        Time of the pauses between two attempts to flatten: the host's; in a replay in lockstep the market's, or two
        runs would differ.
    budget : Budget
        Of requests to the broker; the adapter has the same one.
    log : Log
        For people.
    on_failure : callable
        Told of an error after which the process must end.
    """

    def __init__(
        self,
        installation: Installation,
        account: AccountConfig,
        adapter: Adapter,
        journal: Journal,
        stream: Stream,
        clock: Clock,
        host_clock: Clock,
        pause_clock: Clock,
        budget: Budget,
        log: Log,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.account = account
        self.adapter = adapter
        self.journal = journal
        self.clock = clock
        self.log = log
        self.budget = budget
        self.online = asyncio.Event()
        self.proof_wanted = asyncio.Event()  # set by a fill, until somebody proves
        self.tasks = Tasks(on_failure)
        instances = {item.magic: item for item in installation.instances.values() if item.account == account.name}
        self.alerts = Alerts(account.name, journal, clock, log)
        home = Home(Path(installation.home))
        self.states = TradingStateReader(home, account.name, self.alerts, lambda: self.gate.selecting)
        self.book = Book(account.name, account.currency_digits, journal)
        nets = not adapter.capabilities.hedging
        self.valuation = Valuation(account.currency, account.currency_digits, nets=nets)
        self.publisher = Publisher(stream)
        self.day = DayKeeper(account.day_start, journal)
        moves = self.moves = Moves(self.book, self.publisher, self.alerts, clock)
        names = self._names = {magic: item.name for magic, item in instances.items()}
        if nets:  # an account that became a hedging one carries nothing, and would never settle it
            self.valuation.carried = Decimal(journal.read.meta(CARRIED) or 0)
        adoption = Adoption(self.book, self.publisher, self.alerts, names)
        fills = FillBooking(
            self.book, moves, self.publisher, self.valuation, self.day, self.alerts, adoption, nets=nets
        )
        self.bookkeeper = Bookkeeper(
            self.book, moves, fills, journal, self.publisher, self.valuation, self.day, self.alerts
        )
        self.gate = Gate(account, instances, self.book, self.valuation, self.day, self.states, journal, clock)
        self.lookups = Lookups(
            account, adapter, self.book, moves, self.bookkeeper, journal, budget, self.alerts, host_clock, self.tasks,
            lambda entry: self.submitter.resume(entry),
        )  # fmt: skip
        self.intake = Intake(self.book, self.gate, self.valuation, adapter.capabilities, self.alerts, clock)
        self.submitter = Submitter(
            account, adapter, self.book, self.intake, moves, self.bookkeeper, self.lookups, journal, self.publisher,
            self.valuation, budget, self.alerts, clock, self.tasks, self.online,
            lambda order: self.net_stops.release(order),
        )  # fmt: skip
        take_overs = TakeOvers(
            home.take_over(account.name), self.book, self.valuation, journal, self.publisher, self.alerts, names,
            nets=nets,
        )  # fmt: skip
        self.reconciler = Reconciler(
            adapter, self.book, self.bookkeeper, self.submitter, self.lookups, self.gate, self.valuation, journal,
            moves, adoption, take_overs, budget, self.alerts, clock,
        )  # fmt: skip
        own = OwnIntents(self.book, self.submitter, clock, pause_clock)
        self.net_stops = NetStops(
            self.book, self.gate, own, self.lookups, self.valuation, self.online, pause_clock, log,
            adapter.capabilities,
        )  # fmt: skip
        self.bookkeeper.on_change = self.net_stops.soon
        self.bookkeeper.on_fill = self.proof_wanted.set
        self.flattener = Flattener(self.book, own, self.submitter, self.gate, self.states, self.alerts)
        self.orphans = Orphans(self.book, self.gate, self.flattener, journal, self.alerts)
        self.assignments = Assignments(
            self.book, self.gate, self.flattener, self.net_stops, adapter, budget, journal, self.publisher, self.alerts
        )
        self._unvalued = UnvaluedWatch(account.name, account.currency, self.alerts)
        self.proof_watch = ProofWatch(self.alerts, pause_clock)
        self._skew_watch = SkewWatch(self.alerts)
        self._pause_clock = pause_clock
        self._watch = Watch(
            self.book, self.bookkeeper, self.valuation, journal, self.flattener.close, self.net_stops.is_brokers
        )
        # Asked once: such a check costs 50 us, and quotes are many.
        self._price_driven = adapter if isinstance(adapter, PriceDriven) else None
        self._measuring = adapter if isinstance(adapter, Health) else None
        self._equity_due_ns = 0

    # -- the broker

    async def connect(self) -> None:
        """Log in, reconcile, and let intents through.

        Raises
        ------
        Retryable
            The broker is away or busy: try again.
        ConfigError, StoreError
            It will not get better by itself.
        """
        self._check_identity()
        await self.adapter.connect()
        self.valuation.instruments = dict(await self.adapter.instruments())
        if not await self.reconciler.run():
            raise Retryable("journal and broker did not come together; they are compared again")
        self.proof_watch.note(proved=True)
        if self.clock.now_ns() > 0:
            self.gate.roll_day(self.clock.now_ns())
        await self.journal.settle()
        self.online.set()
        self.net_stops.begin()

    def _check_identity(self) -> None:
        """Refuse to go on with the journal of another account at the broker: nothing in it would be true there."""
        if not isinstance(self.adapter, Identified):
            return
        known, identity = self.journal.read.meta(_IDENTITY), self.adapter.identity
        if known is None:
            batch = Batch(self.account.name)
            batch.meta(_IDENTITY, identity)
            self.journal.stage(batch)
        elif known != identity:
            raise ConfigError(
                f"etc/accounts/{self.account.name}.toml: the journal of this account is that of {known!r}, not of"
                f" {identity!r}: give the other account a file of another name"
            )

    async def stay_connected(self) -> None:
        """Take reports in as they come; when the connection breaks, reconnect and reconcile. Runs until cancelled.

        The first attempt is at once. A broker that lets us in and breaks soon, again and again, is away as well.
        """
        backoff = Backoff(random.Random(), longest_s=_LONGEST_RECONNECT_S, prompt=_PROMPT_ATTEMPTS)
        brief = 0  # connections in a row that soon broke
        while True:
            if self.online.is_set():
                brief = brief + 1 if await self._take_reports() < _STEADY_S else 0
                if not brief:
                    backoff.succeeded()
                elif brief > 1:
                    await self._pause(backoff.pause_s())
            try:
                await self.connect()
            except Retryable as error:
                self.alerts.count("broker-away")
                self.log.info("broker-away", reason=error.message)
                await self._pause(backoff.pause_s())

    async def _take_reports(self) -> float:
        """Take reports in until the connection breaks; return how long it lasted, seconds."""
        since_s = self._pause_clock.monotonic_s()
        try:
            async for reports in self.adapter.reports():
                self.bookkeeper.apply(reports)
            self.alerts.log.info("broker-disconnected")
        except Retryable as error:
            self.alerts.log.info("broker-disconnected", reason=error.message)
        self.online.clear()
        return self._pause_clock.monotonic_s() - since_s

    async def _pause(self, longest_s: float) -> None:
        """Wait before the next attempt: a second only when an order waits for it, or people want something closed."""
        for _ in range(max(1, math.ceil(longest_s / RECONNECT_S))):
            await asyncio.sleep(min(longest_s, RECONNECT_S))
            if self.submitter.busy or self.flattener.is_wanted:
                return

    # -- the market

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Work quotes in, oldest first: clock, valuation, paper fills, watched stops.

        What they cause is handed to the journal and published with its commit.
        """
        if isinstance(self.clock, MarketClock) and ticks:
            self.clock.advance(max(tick.time_ns for tick in ticks))
        self.valuation.take_ticks(ticks)
        if not self.online.is_set():
            return
        if self._price_driven is not None:
            self._apply_paper(self._price_driven, ticks)
        if not self.adapter.capabilities.native_protection:
            self._watch.on_ticks(ticks)

    def _apply_paper(self, adapter: PriceDriven, ticks: Sequence[Tick]) -> None:
        try:
            reports: Sequence[AnyReport] = adapter.on_ticks(ticks)
        except Retryable as error:  # its book cannot be written; the next quotes cause what these should have
            self.alerts.count("ticks-not-worked")
            self.log.warning("ticks-not-worked", reason=error.message)
            return
        if reports:
            self.bookkeeper.apply(reports)

    # -- what is due from time to time

    async def turn(self, *, prove: bool = True) -> None:
        """Prove, value, flatten: whatever is due. Called each ``proof_interval`` of market or host time."""
        if not self.online.is_set():
            self.proof_watch.note(proved=False)
            return
        if prove:
            self.proof_watch.note(proved=await self.reconciler.try_run())
        now_ns = self.clock.now_ns()
        if now_ns > 0:
            self.gate.roll_day(now_ns)
            self.net_stops.turn()
            self.net_stops.forget()
            self.flattener.turn()
            self.orphans.turn()
            worth = self.valuation.worth(self.book.ledger.open_trades())
            self._unvalued.look(worth.unvalued, self.book.own_trades(), self._pause_clock.monotonic_s())
            self._skew_watch.look(self.health(), self._pause_clock.monotonic_s())
            self._note_equity(now_ns)

    # -- another configuration

    def reconfigure(self, settings: AccountSettings, instances: Sequence[InstanceConfig]) -> tuple[Orphan, ...]:
        """Take limits and instances over, all of them or none; nothing is written down, and it may be repeated.

        Returns
        -------
        tuple of Orphan
            Who is not configured any more and still has trades or orders.

        Raises
        ------
        Rejected
            When only a new gateway can do it (reason ``unknown-instrument``); nothing has changed then.
        """
        after, before = {item.magic: item for item in instances}, self.gate.instances
        for item in instances:
            if self.valuation.instruments and item.instrument not in self.valuation.instruments:
                raise Rejected(
                    f"{item.instrument} of {item.name} was not asked for when this gateway connected",
                    details={"reason": "unknown-instrument"},
                )
        account = self.account.model_copy(update=dict(settings))
        self.gate.configure(account, after)
        self.account = account
        self.lookups.configure(account)
        self._names.update((magic, item.name) for magic, item in after.items())
        for magic in after:
            self.orphans.came_back(magic)
        for magic in before.keys() - after.keys():
            self.orphans.left(before[magic])
        return self.orphans.found()

    def _note_equity(self, now_ns: int) -> None:
        if 0 <= self._equity_due_ns - now_ns <= self.account.equity_interval * NS_PER_S:
            return  # not due; a clock that was set back makes it due at once
        self._equity_due_ns = now_ns + int(self.account.equity_interval * NS_PER_S)
        worth = self.valuation.worth(self.book.ledger.open_trades())
        batch = Batch(self.account.name)
        body = {
            "time_ns": now_ns,
            "account": self.account.name,
            "currency": self.account.currency,
            "balance": str(worth.balance),
            "equity": str(worth.equity),
            "margin_used": str(worth.margin_used),
        }
        batch.history("equity", now_ns, json.dumps(body))
        self.journal.stage(batch)

    def proof(self) -> Literal["holds", "broken"] | None:
        """Return whether our trades add up to the broker's; None when it has not told what it holds for a while."""
        if self.reconciler.breaks:
            return "broken"
        # A paper account is here, and proves when its prices move.
        fresh = self.adapter.capabilities.price_driven or self.proof_watch.is_fresh(self.account.proof_interval)
        return "holds" if fresh else None

    def health(self) -> BrokerHealth | None:
        """Return what the adapter measured; None when it measures nothing."""
        return None if self._measuring is None else self._measuring.health()

    @property
    def is_busy(self) -> bool:
        """Whether an order is being carried out or looked up."""
        return self.submitter.busy or bool(self.lookups.in_hand)

    async def idle(self, timeout_s: float) -> None:
        """Wait until no order is being carried out or looked up, for a time.

        An order whose instrument was never quoted in this life waits for that: it is no reason to wait for it.
        """
        await self.lookups.idle(timeout_s)  # first: what was proved absent is carried out after it
        await self.submitter.settle(timeout_s)

    # -- the end

    async def stop(self, timeout_s: float) -> None:
        """Close the gate for opens, let what is under way finish for a time, and hang up.

        What is not finished then stays SENT or UNKNOWN in the journal and is looked up at the next start.
        """
        self.states.closing = True
        try:
            async with asyncio.timeout(timeout_s):
                while self.submitter.busy:
                    await self.submitter.idle(timeout_s)
                await self.journal.settle()
        except TimeoutError:
            self.log.warning("stopped-while-busy", orders=len(self.book.open_orders()))
        self.online.clear()  # nothing new begins
        await self.submitter.stop()  # or they would go on over a closed journal
        await self.tasks.stop()
        try:
            await self.adapter.close()
        except AtraderError as error:
            self.log.info("hang-up-failed", reason=error.message)
