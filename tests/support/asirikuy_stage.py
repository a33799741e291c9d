"""The strategy over the stand-in library in this process, with a context whose world a test sets."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

from atrader.calendars import Calendar
from atrader.clock import host_now_ns
from atrader.errors import DeadlineExceeded
from atrader.instruments import KNOWN, Instrument
from atrader.market import Bars, Tick
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.model import Intent, Order, OrderType, Side, Trade
from atrader.orders.states import OrderState
from atrader.strategy import AccountState, Placement, WarmUp
from framework_bridge.known_library import remember_library
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.strategy import AsirikuyStrategy
from tests.support.asirikuy import framework_files, fresh_library
from tests.support.asirikuy_desk import MINUTE_NS, bars_until
from tests.support.asirikuy_fleet import ROW

MAGIC = 7
PAIR = "BTC/USD"
OPEN_BUY = 0x1


def preset(bits: int = OPEN_BUY, *more: float, text: str = "", mode: int = ROW) -> str:
    """Write a set file that has the stand-in order what `bits` say, with its further numbers."""
    said = (bits, -1, 1, *more)
    lines = "".join(f"ADDITIONAL_PARAM_{26 + place}={value:g}\n" for place, value in enumerate(said))
    return f"ADDITIONAL_PARAM_3={mode}\n{lines}{text}\n"


class World:
    """What the strategy sees, and what it wanted. Prices do not move by themselves."""

    def __init__(self, now_ns: int) -> None:
        self.instrument: Instrument = KNOWN[PAIR]
        self.timeframe = "1m"
        self.calendar = Calendar.get("24/7")
        self.state: dict[str, object] = {}
        self.warm_up = WarmUp(0, 0, 0)
        self.time_ns = now_ns
        self.missing = 0  # minutes before the last that nobody stored
        self.stored = 100
        self.spread = 0.5
        self.venue_ahead_ns = 0
        self.is_away = False  # the gateway
        self.open_trades: list[Trade] = []
        self.live_orders: list[Order] = []
        self.closed: tuple[Trade, ...] = ()
        self.equity_now = Decimal(10_000)
        self.wanted: list[dict[str, Any]] = []
        self.signals: list[str] = []
        self.alerts: list[tuple[str, str]] = []
        self._n = itertools.count(1)

    def now_ns(self) -> int:
        return self.time_ns

    def minute_ns(self) -> int:
        """Return the open time of the bar that forms."""
        return self.time_ns // MINUTE_NS * MINUTE_NS

    def bars(self, count: int) -> Bars:
        return self.bars_of(PAIR, "1m", count)

    def bars_of(self, instrument: str, timeframe: str, count: int, *, forming: bool = False) -> Bars:
        assert instrument == PAIR
        minutes = int(timeframe.removesuffix("m"))
        length_ns = minutes * MINUTE_NS
        last_ns = self.time_ns // length_ns * length_ns - (0 if forming else length_ns)
        bars = bars_until(last_ns, min(count, self.stored), minutes)
        if not self.missing:
            return bars
        gap = bars.open_time_ns < self.minute_ns() - (1 + self.missing) * MINUTE_NS
        keep = gap | (bars.open_time_ns >= self.minute_ns() - MINUTE_NS)
        return Bars(*(column[keep] for column in bars.columns))

    def price(self) -> Tick | None:
        return Tick(PAIR, self.time_ns + self.venue_ahead_ns, self.time_ns, 1.1, 1.1 + self.spread)

    def price_of(self, instrument: str) -> Tick | None:
        return None

    def instrument_of(self, symbol: str) -> Instrument:
        return KNOWN[symbol]

    def trades(self) -> tuple[Trade, ...]:
        return tuple(self.open_trades)

    def orders(self) -> tuple[Order, ...]:
        return tuple(self.live_orders)

    def closed_trades(self, count: int) -> tuple[Trade, ...]:
        return self.closed[:count]

    def equity(self) -> Decimal:
        return self.equity_now

    def account(self) -> AccountState:
        if self.is_away:
            raise DeadlineExceeded("gateway paper does not answer")
        return AccountState("paper", "USD", self.equity_now, self.equity_now, Decimal(0), Decimal(10))

    def order(self, side: Side, **values: Any) -> str:
        return self._want("open", side=side, **values)

    def close(self, trade_id: str, **values: Any) -> str:
        return self._want("close", trade_id=trade_id, **values)

    def modify(self, trade_id: str, **values: Any) -> str:
        return self._want("modify", trade_id=trade_id, **values)

    def modify_order(self, order_id: str, **values: Any) -> str:
        return self._want("modify", order_id=order_id, **values)

    def cancel(self, order_id: str, **values: Any) -> str:
        return self._want("cancel", order_id=order_id, **values)

    def signal(self, name: str, value: float, **indicators: float) -> None:
        self.signals.append(name)

    def alert(self, kind: str, text: str) -> None:
        self.alerts.append((kind, text))

    def _want(self, action: str, **values: Any) -> str:
        self.wanted.append({"action": action, **values})
        return client_id_of(IntentId(MAGIC, next(self._n)))

    def take(self) -> list[dict[str, Any]]:
        """Return what was wanted since the last time."""
        wanted, self.wanted = self.wanted, []
        return wanted


def an_order(n: int, state: OrderState, *, order_type: OrderType = "market", side: Side = "buy") -> Order:
    """Return an order that opens something."""
    price = None if order_type == "market" else Decimal(1)
    intent = Intent(
        magic=MAGIC, n=n, instance="bbs", instrument=PAIR, action="open", time_ns=1, side=side, units=Decimal(1),
        order_type=order_type, price=price,
    )  # fmt: skip
    return Order(client_id=intent.client_id, intent=intent, state=state, units=Decimal(1), created_ns=n, updated_ns=n)


def a_trade(n: int, *, side: Side = "buy", **values: Any) -> Trade:
    """Return an open trade."""
    return Trade(
        trade_id=client_id_of(IntentId(MAGIC, n)), account="paper", magic=MAGIC, instance="bbs", instrument=PAIR,
        side=side, units_opened=Decimal(1), units=Decimal(1), open_time_ns=n, open_price=Decimal(1), **values,
    )  # fmt: skip


class Stage:
    """One instance, from its files to the world it trades in; ``life`` starts another process' worth of it.

    Parameters
    ----------
    folder : Path
        Of this test.
    preset : str
        Lines beside those that every preset has.
    server : str, optional
        A time server: the library runs live. Without one it runs as in a backtest.
    """

    def __init__(self, folder: Path, preset: str, server: str | None = None, **parameters: Any) -> None:
        self.folder = folder
        self.config = framework_files(folder / "asirikuy")
        self.temp = folder / "asirikuy" / "tmp"
        (folder / "one.set").write_text(
            f"OPERATIONAL_MODE=1\nSTRATEGY_INSTANCE_ID={MAGIC}\nMAX_OPEN_ORDERS=20\n{preset}"
        )
        self.server = server
        self.parameters = {
            "framework_config": str(self.config), "preset": "one.set", "strategy_id": 29, "broker_name": "UTC",
            "reference_name": "UTC", "rates": [{"symbol": PAIR, "timeframe": "1m", "bars": 10}], "contract_size": 1,
            "ntp_servers": [server or "127.0.0.1:9"], "ntp_deadline": "500ms", **parameters,
        }  # fmt: skip
        self.world = World(host_now_ns() // MINUTE_NS * MINUTE_NS + 5 * 10**9)
        self._lives = itertools.count()
        self.life()

    def life(self) -> AsirikuyStrategy:
        """Load the library anew, as after a death; the world stays."""
        where = self.folder / f"life{next(self._lives)}"
        where.mkdir()
        library = fresh_library(where)
        remember_library(library, self.temp)  # to try each copy in a process of its own takes a second
        values = {**self.parameters, "library": str(library)}
        self.strategy = AsirikuyStrategy(AsirikuyParameters.model_validate(values))
        self.strategy.prepare(
            Placement(
                self.folder, "bbs", MAGIC, KNOWN[PAIR], "1m", "USD", "gateway",
                is_live=self.server is not None, instruments=KNOWN,
            )
        )  # fmt: skip
        self.strategy.context = self.world
        self.strategy.on_start()
        return self.strategy

    def bar(self, minutes: int = 1) -> list[dict[str, Any]]:
        """Let minutes pass and handle the last bar; return what is wanted."""
        world = self.world
        world.time_ns += minutes * MINUTE_NS
        self.strategy.on_bar(bars_until(world.minute_ns() - MINUTE_NS, 1, 1).row(0))
        return world.take()

    def tick(self, seconds: float = 0.0) -> list[dict[str, Any]]:
        """Let seconds pass and give a quote; return what is wanted."""
        self.world.time_ns += int(seconds * 1e9)
        tick = self.world.price()
        assert tick is not None
        self.strategy.on_tick(tick)
        return self.world.take()

    def close(self) -> None:
        self.strategy.on_stop()
