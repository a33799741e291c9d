"""OANDA under random faults and deaths: one outcome for every intent, one order at most, all fills in the history once.

A rule-based machine plays workers, prices, people at the broker's own screen, faults of its network and its service,
and the deaths of workers, gateway and data layer. Real sockets, journals and stores, and the program's own time-outs,
in a loop that skips waiting. ``make soak`` plays 10,000 of these stories; a story that fails is printed as a program,
and the test's name has the seed it was drawn with.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.home import Home
from atrader.errors import AtraderError, Rejected
from atrader.orders.model import Intent
from atrader.orders.states import IN_FLIGHT, OrderState
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from broker_api.net_stops import stop_of
from tests.oanda_simulator.faults import AFTER, BEFORE
from tests.support.oanda_world import TOKEN_NAME, OandaWorld
from tests.support.skipping_loop import SkippingLoop
from tests.support.soak import soak_seeds

_START = {
    "a Tuesday": "2024-06-04T10:00:00Z",
    "a minute before financing": "2024-06-04T20:59:00Z",
    "two minutes before the week ends": "2024-06-07T20:57:00Z",
}
_MAGIC = st.sampled_from([7, 8])
_SIDE = st.sampled_from(["buy", "sell"])
_UNITS = st.integers(1, 5).map(lambda thousands: Decimal(thousands * 1000))
_STREAM_FAULTS = st.sampled_from(["stall", "reset", "close", "cut", "split", "lose", "duplicate", "swap", "delay"])
_STALE_NS = 25 * NS_PER_S  # what a price may be old (10 s), and what a request may wait until it is taken or given up
_DONE_BY_NOBODY = (OrderState.LOST, OrderState.DENIED)

# What a killed gateway was about to connect is left to the garbage collector, as it is left to the kernel elsewhere.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .*try_connect. was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed (transport|.socket):ResourceWarning"),
]


class OandaStory(RuleBasedStateMachine):
    """One account through a list of events."""

    @initialize(
        hedging=st.booleans(),
        start=st.sampled_from([*_START, "a Tuesday", "a Tuesday"]),
        skew_s=st.sampled_from([0.0, 0.0, -45.0, 45.0]),
        echoed=st.sampled_from(["all", "all", "declared", "none"]),  # which requests the broker repeats our ids of
    )
    def begin(self, hedging: bool, start: str, skew_s: float, echoed: Any) -> None:
        memory = Path("/dev/shm")  # what a dead machine leaves on a disk is tested elsewhere
        self._directory = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.loop = SkippingLoop()
        self.halted = False
        self.halts: list[list[str]] = []  # for each halt, who wanted to open during it
        self.resumed_ns: list[int] = []  # when each of them ended, the venue's time
        root = Path(self._directory.name)
        self.world = OandaWorld(self.loop, root, hedging=hedging, start_ns=parse_time(_START[start]), skew_s=skew_s)
        self.world.sim.echo_request_ids = echoed
        self.run(self.world.begin())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    # -- what workers want

    def want(self, magic: int, **values: Any) -> None:
        intent = self.world.intent(magic, **values)
        if self.halted and intent.action == "open":
            self.halts[-1].append(intent.client_id)
        self.run(self._hand_over(intent))

    async def _hand_over(self, intent: Intent) -> None:
        self.world.hand_over(intent)

    @rule(magic=_MAGIC, side=_SIDE, units=_UNITS, protected=st.booleans())
    def open_at_the_market(self, magic: int, side: str, units: Decimal, protected: bool) -> None:
        sign = 1 if side == "buy" else -1
        price = self.world.quoted[0]
        levels: dict[str, Any] = {}
        if protected:
            levels = {"stop_loss": price - sign * Decimal("0.0020"), "take_profit": price + sign * Decimal("0.0030")}
        self.want(magic, action="open", side=side, units=units, **levels)

    @rule(magic=_MAGIC, side=_SIDE, units=_UNITS, pips=st.integers(8, 30))
    def open_with_a_stop_that_trails(self, magic: int, side: str, units: Decimal, pips: int) -> None:
        self.want(magic, action="open", side=side, units=units, trailing_distance=Decimal(pips) / 10_000)

    @rule(
        magic=_MAGIC,
        side=_SIDE,
        units=_UNITS,
        pips=st.integers(1, 30),
        kind=st.sampled_from(["limit", "stop"]),
        protected=st.booleans(),
        lasts_s=st.sampled_from([None, None, 4.0]),
    )
    def open_at_a_price(
        self, magic: int, side: str, units: Decimal, pips: int, kind: str, protected: bool, lasts_s: float | None
    ) -> None:
        below = (side == "buy") == (kind == "limit")
        price = self.world.quoted[0] + (-1 if below else 1) * Decimal(pips) / 10_000
        sign = 1 if side == "buy" else -1
        more: dict[str, Any] = {"stop_loss": price - sign * Decimal("0.0020")} if protected else {}
        if lasts_s is not None:
            more["expires_ns"] = self.world.clock.now_ns() + int(lasts_s * NS_PER_S)
        self.want(magic, action="open", side=side, units=units, order_type=kind, price=price, **more)

    @rule(magic=_MAGIC, which=st.integers(0, 9), pips=st.integers(-10, 10))
    def move_an_order(self, magic: int, which: int, pips: int) -> None:
        orders = [order for order in self.world.gateway.book.live_opens() if order.intent.magic == magic]
        if orders:
            order = orders[which % len(orders)]
            assert order.intent.price is not None
            self.want(
                magic, action="modify", order_id=order.client_id, price=order.intent.price + Decimal(pips) / 10_000
            )

    @rule(magic=_MAGIC, which=st.integers(0, 9), units=st.one_of(st.none(), st.just(Decimal(1000))))
    def close(self, magic: int, which: int, units: Decimal | None) -> None:
        trades = self.world.gateway.book.own_trades(magic)
        if trades:
            trade = trades[which % len(trades)]
            part = units if units is not None and units < trade.units else None
            self.want(magic, action="close", trade_id=trade.trade_id, units=part)

    @rule(magic=_MAGIC, which=st.integers(0, 9), pips=st.integers(5, 60))
    def move_a_stop(self, magic: int, which: int, pips: int) -> None:
        trades = self.world.gateway.book.own_trades(magic)
        if trades:
            trade = trades[which % len(trades)]
            sign = 1 if trade.side == "buy" else -1
            stop = self.world.quoted[0] - sign * Decimal(pips) / 10_000
            self.want(magic, action="modify", trade_id=trade.trade_id, stop_loss=stop)

    @rule(magic=_MAGIC, which=st.integers(0, 9))
    def take_a_stop_away(self, magic: int, which: int) -> None:
        trades = self.world.gateway.book.own_trades(magic)
        if trades:
            trade = trades[which % len(trades)]
            self.want(magic, action="modify", trade_id=trade.trade_id, stop_loss=Decimal(0))

    @rule(magic=_MAGIC, which=st.integers(0, 9))
    def cancel(self, magic: int, which: int) -> None:
        orders = [order for order in self.world.gateway.book.live_opens() if order.intent.magic == magic]
        if orders:
            self.want(magic, action="cancel", order_id=orders[which % len(orders)].client_id)

    @precondition(lambda self: self.world.wanted)
    @rule(which=st.integers(0, 99))
    def hand_an_old_intent_over_again(self, which: int) -> None:
        self.run(self._hand_over(self.world.wanted[which % len(self.world.wanted)]))

    # -- what happens by itself

    @rule(pips=st.integers(-25, 25), seconds=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
    def the_price_moves(self, pips: int, seconds: float) -> None:
        self.run(self._move(pips, seconds))

    async def _move(self, pips: int, seconds: float) -> None:
        self.world.quote(pips)
        await self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.world.pass_time(seconds))

    @rule(side=_SIDE, units=_UNITS)
    def a_person_trades(self, side: str, units: Decimal) -> None:
        signed = units if side == "buy" else -units
        order = {"type": "MARKET", "instrument": "EUR_USD", "units": str(signed), "timeInForce": "FOK"}
        self.run(self.world.by_hand("POST", "/orders", {"order": {**order, "positionFill": "DEFAULT"}}))

    @rule(which=st.integers(0, 9))
    def a_person_closes_a_trade(self, which: int) -> None:
        trades = self.world.sim.account(self.world.account_id).open_trades()
        if trades:
            trade = trades[which % len(trades)]
            self.run(self.world.by_hand("PUT", f"/trades/{trade.id}/close", {"units": "ALL"}))

    @rule(which=st.integers(0, 9))
    def a_person_cancels_an_order(self, which: int) -> None:
        orders = [order for order in self.world.sim.account(self.world.account_id).pending() if not order.trade_id]
        if orders:
            self.run(self.world.by_hand("PUT", f"/orders/{orders[which % len(orders)].id}/cancel", {}))

    @rule(which=st.integers(0, 9), pips=st.sampled_from([None, 15, 40]))
    def a_person_moves_or_removes_a_stop(self, which: int, pips: int | None) -> None:
        trades = self.world.sim.account(self.world.account_id).open_trades()
        if trades and self.world.hedging:
            trade = trades[which % len(trades)]
            away = Decimal(pips or 0) / 10_000 * (1 if trade.units > 0 else -1)
            stop = None if pips is None else {"price": str(self.world.quoted[0] - away), "timeInForce": "GTC"}
            self.run(self.world.by_hand("PUT", f"/trades/{trade.id}/orders", {"stopLoss": stop}))

    @rule(which=st.integers(0, 9), magic=_MAGIC)
    def a_person_gives_a_foreign_trade_away(self, which: int, magic: int) -> None:
        trades = self.world.gateway.book.ledger.open_trades(0)
        if trades:
            self.run(self._adopt(trades[which % len(trades)].trade_id, {7: "alpha", 8: "beta"}[magic]))

    async def _adopt(self, trade_id: str, instance: str) -> None:
        with suppress(AtraderError):
            await self.world.gateway.assignments.adopt(trade_id, instance)

    @rule(left=st.sampled_from([Decimal(30), Decimal(60), Decimal(100_000)]))
    def a_person_moves_money(self, left: Decimal) -> None:
        self.run(self._transfer(left))

    async def _transfer(self, left: Decimal) -> None:
        account = self.world.sim.account(self.world.account_id)
        account.transfer(left - account.balance)  # too little for its trades: the broker closes them

    @rule(seconds=st.sampled_from([0.5, 5.0]))
    def a_person_has_all_closed(self, seconds: float) -> None:
        if self.halted:
            return
        home = Home(self.world.root)
        TradingStates(fleet=TradingState.FLATTENING).save(home.trading_states)
        self.run(self.world.pass_time(seconds))
        TradingStates().save(home.trading_states)

    # -- what goes wrong

    @rule(method=st.sampled_from(["POST", "PUT", "GET"]), kind=st.sampled_from([*BEFORE, *AFTER]))
    def a_request_will_fail(self, method: str, kind: str) -> None:
        self.world.sim.faults.next(method, "/accounts/", kind, delay_s=3.0)

    @rule(kind=_STREAM_FAULTS)
    def the_stream_goes_wrong(self, kind: str) -> None:
        self.run(self._disturb(kind))

    async def _disturb(self, kind: str) -> None:
        self.world.sim.disturb("transactions", kind)

    @rule(reset=st.booleans())
    def all_connections_break(self, reset: bool) -> None:
        self.run(self._drop(reset))

    async def _drop(self, reset: bool) -> None:
        self.world.sim.drop_connections(reset)

    @rule(seconds=st.sampled_from([2.0, 20.0]))
    def the_broker_is_maintained(self, seconds: float) -> None:
        self.run(self._maintain(seconds))

    async def _maintain(self, seconds: float) -> None:
        self.world.sim.maintain()
        await self.world.pass_time(seconds)
        self.world.sim.maintain(False)

    @rule()
    def orders_are_not_found_for_half_a_second(self) -> None:
        self.world.sim.faults.hide_s = self.world.sim.faults.hide_log_s = 0.5

    @rule(halt=st.sampled_from(["all", "bid", "ask", "none"]))
    def an_instrument_is_halted(self, halt: Any) -> None:
        self.run(self._halt_instrument(halt))

    async def _halt_instrument(self, halt: Any) -> None:
        self.world.sim.halt("EUR_USD", halt)

    @rule()
    def the_data_layer_goes_away(self) -> None:
        self.world.history.fault = "away"

    @rule()
    def the_data_layer_dies_before_it_answers(self) -> None:
        self.world.history.fault = "no-answer"

    @rule()
    def the_data_layer_is_back(self) -> None:
        self.world.history.fault = ""

    @rule()
    def workers_are_killed(self) -> None:
        self.run(self.world.kill_workers())

    @rule()
    def the_gateway_is_killed(self) -> None:
        self.run(self.world.kill_gateway())

    @rule()
    def the_manager_is_killed_and_all_with_it(self) -> None:
        self.world.history.fault = "no-answer"
        self.run(self.world.kill_gateway())

    @rule(halted=st.booleans())
    def a_person_halts_or_resumes(self, halted: bool) -> None:
        if halted and not self.halted:
            self.halts.append([])
        elif self.halted and not halted:
            self.resumed_ns.append(self.world.sim.clock.now())
        self.halted = halted
        states = TradingStates(fleet=TradingState.HALTED if halted else TradingState.ACTIVE)
        states.save(Home(self.world.root).trading_states)

    # -- the end of a story

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.run(self._settle())
            self._check_outcomes()
            self._check_history()
            self.run(self._leave())
        finally:
            with suppress(Exception):
                self.run(self.world.end())
            self.loop.close()
            self._directory.cleanup()

    async def _settle(self) -> None:
        world = self.world
        world.sim.faults.clear()
        world.sim.halt("EUR_USD", "none")
        world.history.fault = ""
        gateway = world.gateway
        await world.until(gateway.online.is_set, "a connection")
        await world.until(lambda: all(intent.client_id in world.answers for intent in world.wanted), "answers")
        await world.until(self._nothing_in_flight, "outcomes")
        await world.until(self._knows_every_fill, "every fill")  # no proof tells of two that cancel out
        await world.until(self._proved, "a proof that holds")
        await world.until(self._stops_are_there, "every stop at the broker")
        await world.journal.settle()
        await world.until(lambda: world.outbox.lag == 0, "an empty outbox")

    def _nothing_in_flight(self) -> bool:
        return not [order for order in self.world.gateway.book.open_orders() if order.state in IN_FLIGHT]

    def _knows_every_fill(self) -> bool:
        newest = max((int(fill) for fill in self._fills_at_the_broker()), default=0)
        return self.world.gateway.bookkeeper.watermark >= newest

    def _proved(self) -> bool:
        gateway = self.world.gateway
        account = self.world.sim.account(self.world.account_id)
        real = {"EUR/USD": net} if (net := account.net_units("EUR_USD")) else {}
        return not gateway.reconciler.breaks and gateway.book.ledger.net_units() == real

    def _stops_are_there(self) -> bool:
        """Tell whether the broker holds each stop that a trade of ours has: a dead gateway must leave none open."""
        account = self.world.sim.account(self.world.account_id)
        trades = [trade for trade in self.world.gateway.book.own_trades() if stop_of(trade) is not None]
        if self.world.hedging:
            held: defaultdict[str, list[Decimal | None]] = defaultdict(list)
            for order in account.pending():
                if order.type in {"STOP_LOSS", "TRAILING_STOP_LOSS"}:
                    held[str(order.trade_id)].append(order.trailing_value or order.price)
            nearest = {"buy": max, "sell": min}
            return all(
                nearest[trade.side](filter(None, held[trade.broker_trade_id or ""]), default=None) == trade.stop_loss
                for trade in trades
            )
        net = account.net_units("EUR_USD")
        stops = [order for order in account.pending() if order.request["positionFill"] == "REDUCE_ONLY"]
        stopped = [trade for trade in trades if (trade.side == "buy") == (net > 0)] if net else []
        wanted = min(abs(net), sum((trade.units for trade in stopped), Decimal(0)))
        prices = {stop_of(trade) for trade in stopped}
        return (
            -sum((order.units for order in stops), Decimal(0)) == wanted.copy_sign(net)
            and {order.price for order in stops} <= prices
        )

    def _check_outcomes(self) -> None:
        assert not self.world.failures, self.world.failures
        read = self.world.journal.read
        taken = self._orders_at_the_broker()
        assert max(map(len, taken.values()), default=0) <= 1, taken
        for intent in self.world.wanted:
            entry = read.order(intent.client_id)
            if entry is None:
                assert isinstance(self.world.answers[intent.client_id], Rejected)
                assert not taken[intent.client_id]
                continue
            assert entry.order.state not in IN_FLIGHT
            if taken[intent.client_id]:
                assert entry.order.state not in _DONE_BY_NOBODY, entry.order
        for number, names in enumerate(self.halts):
            resumed_ns = self.resumed_ns[number] if number < len(self.resumed_ns) else None
            for name in names:
                assert all(resumed_ns and when >= resumed_ns for when in taken[name]), f"{name} opened while halted"
        for intent in self.world.wanted:
            for when in taken[intent.client_id] if intent.action == "open" else ():
                quoted_ns = max(quoted for quoted in self.world.quoted_ns if quoted <= when)
                assert when - quoted_ns <= _STALE_NS, f"{intent.client_id} opened on an old price"

    def _orders_at_the_broker(self) -> defaultdict[str, list[int]]:
        """Return when the venue took orders of ours, by their client ids."""
        log = self.world.sim.account(self.world.account_id).log
        taken: defaultdict[str, list[int]] = defaultdict(list)
        for entry in log.since(0):
            kind, reason = entry["type"], entry.get("reason")
            if kind.endswith("_ORDER") and reason in {"CLIENT_ORDER", "TRADE_CLOSE"}:
                identity = (entry.get("clientExtensions") or {}).get("id") or entry.get("requestID")
                if identity is not None:
                    taken[identity].append(int(entry["time"]))
        return taken

    def _fills_at_the_broker(self) -> dict[str, Decimal]:
        """Return signed units by the number of the transaction."""
        log = self.world.sim.account(self.world.account_id).log
        return {str(entry["id"]): Decimal(entry["units"]) for entry in log.since(0) if entry["type"] == "ORDER_FILL"}

    def _check_history(self) -> None:
        told = self._fills_at_the_broker()
        rows = self.world.history.rows("fills")
        kept: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            sign = 1 if row["side"] == "buy" else -1
            kept[re.split(r"\D", str(row["fill_id"]))[0]] += sign * Decimal(row["units"])
        assert dict(kept) == told, (dict(kept), told)
        assert {row["magic"] for row in rows} <= {0, 7, 8}

    async def _leave(self) -> None:
        """Every exit goes through when the broker answers."""
        world = self.world
        TradingStates().save(Home(world.root).trading_states)
        await self._transfer(Decimal(100_000))  # two trades that cancel out at the broker leave one by one: that binds
        world.quote()
        for trade in world.gateway.book.own_trades():
            intent = world.intent(trade.magic, action="close", trade_id=trade.trade_id)
            world.hand_over(intent)
        is_open = world.sim.venue.market.trades  # the week may end meanwhile
        await world.until(lambda: not world.gateway.book.own_trades() or not is_open("EUR_USD"), "no open trades")


def _tell(stories: int, steps: int, monkeypatch: pytest.MonkeyPatch, drawn_with: int | None) -> None:
    told = type(OandaStory.__name__, (OandaStory,), {})
    if drawn_with is not None:
        told = seed(drawn_with)(told)
    monkeypatch.setenv(TOKEN_NAME, "practice-0123456789abcdef-fedcba9876543210")
    run_state_machine_as_test(
        told,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(8))  # so that they are told side by side
def test_every_intent_has_one_outcome_and_every_fill_is_kept_once(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _tell(25, 12, monkeypatch, part if settings().derandomize else None)  # else each part would tell the same stories


@pytest.mark.soak
@pytest.mark.parametrize("drawn_with", soak_seeds(200))
def test_ten_thousand_stories_end_well(drawn_with: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _tell(50, 30, monkeypatch, drawn_with)
