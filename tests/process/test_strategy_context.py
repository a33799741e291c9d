"""What a Python strategy can ask of its context, in a real fleet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.books import check_books
from tests.support.fleet import Fleet, wait_for

CURIOUS = '''
import json
from decimal import Decimal
from pathlib import Path

from atrader.strategy import EventStrategy, Series


class Curious(EventStrategy):
    """Opens and closes a trade at every other bar, keeps a pending order, and writes down what it is told."""

    @property
    def other_series(self):
        return (Series("GBP/USD", "2s", 3), Series("USD/JPY"))

    def on_bar(self, bar):
        context = self.context
        trades, orders = context.trades(), context.orders()
        if trades:
            context.close(trades[0].trade_id)
        else:
            context.order("buy", units=Decimal(1000))
        waiting = [one for one in orders if one.intent.order_type == "limit"]
        if not waiting:
            price = Decimal(f"{bar.close:.2f}") - Decimal("0.02")
            context.order("buy", units=Decimal(1000), order_type="limit", price=price)
        elif waiting[0].intent.stop_loss is None:
            price = waiting[0].intent.price - Decimal("0.01")
            context.modify_order(waiting[0].client_id, price=price, stop_loss=price - Decimal("0.01"))
            context.alert("moved", f"the limit order was moved to {price}")
        self.write(bar)

    def write(self, bar):
        context = self.context
        account = context.account()
        whole, forming, later = (context.bars_of("GBP/USD", "2s", 5, forming=how) for how in (False, True, False))
        price = context.price_of("USD/JPY")
        closed = context.closed_trades(2)
        line = {
            "bar_ns": bar.open_time_ns,
            "own": context.bars_of("EUR/USD", "1s", 1).open_time_ns.tolist(),
            "whole": whole.open_time_ns.tolist(),
            "forming": forming.open_time_ns.tolist(),
            "later": later.open_time_ns.tolist(),
            "now_ns": context.now_ns(),
            "yen": price and price.bid,
            "nobody": context.price_of("EUR/GBP"),
            "digits": str(context.instrument_of("USD/JPY").price_tick),
            "open": context.calendar.is_open(context.now_ns()),
            "account": {name: str(value) for name, value in account._asdict().items()},
            "closed": [[one.trade_id, one.close_time_ns, str(one.units)] for one in closed],
            "limits": [str(one.intent.price) for one in context.orders()],
        }
        with Path("@FILE@").open("a") as file:
            file.write(json.dumps(line) + chr(10))
'''


def test_a_strategy_sees_other_bars_and_prices_its_account_and_what_it_closed(fleet: Fleet, tmp_path: Path) -> None:
    told = tmp_path / "told"
    fleet.write_fleet(instruments=("EUR/USD", "GBP/USD", "USD/JPY"))
    fleet.write_account()
    (fleet.home.root / "strategies" / "curious.py").write_text(CURIOUS.replace("@FILE@", str(told)))
    fleet.write_instance("curious", 7, strategy="strategies/curious.py:Curious", text=fleet.unlimited())
    fleet.start()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []

    wait_for(lambda: len(found := lines()) and len(found[-1]["closed"]) == 2, "two closed trades")
    assert fleet.stop() == 0
    last = lines()[-1]
    # A worker that had to wait for a processor handles a bar when there are later ones.
    assert all(line["own"][0] >= line["bar_ns"] for line in lines())
    assert any(line["own"] == [line["bar_ns"]] for line in lines()), "the bar that is handled is the last complete one"
    assert {b - a for a, b in zip(last["whole"], last["whole"][1:], strict=False)} <= {2_000_000_000}
    between = range(last["whole"][-1], last["later"][-1] + 2_000_000_001, 2_000_000_000)
    assert last["forming"][-1] in between, "the forming one, if any"
    assert last["yen"] > 50
    assert last["nobody"] is None
    assert last["digits"] == "0.001"
    account = last["account"]
    assert (account["name"], account["currency"]) == ("paper", "USD")
    assert round(float(account["leverage"])) == 30
    assert abs(float(account["balance"]) - 1_000_000) < 100
    newest, older = last["closed"]
    assert newest[1] > older[1], "newest first"
    assert {newest[2], older[2]} == {"0"}
    (moved,) = (row["text"] for row in fleet.history("alerts") if row["kind"] == "moved")
    assert moved == f"the limit order was moved to {last['limits'][0]}"
    check_books(fleet)
