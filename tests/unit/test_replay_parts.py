"""Parts of running a day again: whose day it is, what looks like chance, and what had come about in a moment."""

from __future__ import annotations

import sys
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import click
import pytest

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.errors import ConfigError
from atrader.orders.ids import client_id
from atrader.strategy import BaseParameters, Strategy
from manager.commands.replay_diff import day_of
from manager.rerun.chance import signs_of_chance
from manager.rerun.moment import Moment
from manager.rerun.working import working_before

HOUR = 3600 * NS_PER_S


@pytest.mark.parametrize(
    ("day", "zone", "begin", "hours"),
    [
        ("2024-03-05", "UTC", "2024-03-05T00:00:00Z", 24),
        ("2024-03-10", "America/New_York", "2024-03-10T05:00:00Z", 23),
        ("2024-11-03", "America/New_York", "2024-11-03T04:00:00Z", 25),
        ("2024-10-06", "Australia/Lord_Howe", "2024-10-05T13:30:00Z", 23.5),
    ],
)
def test_a_day_is_as_long_as_it_is_where_its_clocks_change(day: str, zone: str, begin: str, hours: float) -> None:
    first, end = day_of(day, zone)
    assert (iso_from_ns(first), (end - first) / HOUR) == (begin, hours)


@pytest.mark.parametrize("text", ["2024-02-30", "yesterday", "", "2024-03-05T12:00:00Z", "9999-12-31", "20240-1-1"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a date"):
        day_of(text, "UTC")


def test_a_day_to_come_is_refused() -> None:
    with pytest.raises(ConfigError, match="still to come"):
        day_of("2199-01-01", "Asia/Tokyo")


def strategy_of(tmp_path: Path, source: str) -> Strategy:
    path = tmp_path / "one.py"
    path.write_text(f"{source}\nfrom atrader.strategy import EventStrategy\nclass One(EventStrategy):\n    pass\n")
    spec = spec_from_file_location("strategy_of_chance", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Strategy = module.One(BaseParameters())
    return made


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import random\ndef f(): return random.random()", "random.random in line 2"),
        ("from random import gauss as g\ndef f(): return g(0, 1)", "random.gauss in line 2"),
        ("import numpy as np\ndef f(): return np.random.default_rng()", "numpy.random.default_rng in line 2"),
        ("from numpy.random import normal\ndef f(): return normal()", "numpy.random.normal in line 2"),
        ("import time as t\ndef f(): return t.time_ns()", "time.time_ns in line 2"),
        ("from time import time\ndef f(): return time()", "time.time in line 2"),
        ("import datetime\ndef f(): return datetime.datetime.now()", "datetime.datetime.now in line 2"),
        ("from datetime import datetime as d\ndef f(): return d.utcnow()", "datetime.datetime.utcnow in line 2"),
        ("from datetime import date\ndef f(): return date.today()", "datetime.date.today in line 2"),
        ("import os\ndef f(): return os.environ['A']", "os.environ in line 2"),
        ("import uuid\ndef f(): return uuid.uuid4()", "uuid.uuid4 in line 2"),
    ],
)
def test_chance_and_clocks_in_a_source_are_named_with_their_line(tmp_path: Path, source: str, named: str) -> None:
    (text,) = signs_of_chance(strategy_of(tmp_path, source))
    assert named in text


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nx = np.arange(3)",
        "from datetime import datetime, UTC\nx = datetime(2024, 1, 1, tzinfo=UTC)",
    ],
)
def test_what_is_the_same_each_time_is_not_named(tmp_path: Path, source: str) -> None:
    assert signs_of_chance(strategy_of(tmp_path, source)) == []


AT = 1000
Row = dict[str, Any]


def order(whose: str, created_ns: int, state: str = "WORKING", updated_ns: int = AT + 5, **values: Any) -> Row:
    return {
        "client_id": whose, "created_ns": created_ns, "updated_ns": updated_ns, "state": state, "action": "open",
        "units": "1000", "broker_id": "7", **values,
    }  # fmt: skip


def intent(whose: str, number: int, **values: Any) -> Row:
    usual = dict.fromkeys(("risk_frac", "stop_loss", "take_profit", "trailing_distance", "expires_ns", "trade_id"))
    return {
        **usual, "client_id": whose, "intent_id": f"1:{number}", "magic": 1, "instance": "one", "units": "1000",
        "instrument": "EUR/USD", "action": "open", "side": "buy", "order_type": "limit", "price": "1.1", "reason": "",
        "time_ns": 10, "order_id": None, **values,
    }  # fmt: skip


def fill(fill_id: str, whose: str | None, time_ns: int, units: str = "400") -> Row:
    return {
        "fill_id": fill_id,
        "client_id": whose,
        "time_ns": time_ns,
        "reason": "order",
        "units": units,
        "price": "1",
    }


def test_orders_that_worked_are_told_from_those_that_were_over_or_came_later() -> None:
    orders = [
        order("waiting", 10),
        order("filled-later", 10, "FILLED"),
        order("filled-before", 10, "FILLED", 500),
        order("partly", 10, "FILLED"),
        order("cancelled-before", 10, "CANCELLED", 900),
        order("cancelled-later", 10, "CANCELLED", AT + 1),
        order("cancelled-by-this-life-at-once", 10, "CANCELLED", AT),
        order("denied", 10, "DENIED", AT + 1),
        order("of-this-life", AT),
    ]
    wanted = [
        {"client_id": "of-this-life", "time_ns": AT, "action": "open", "trade_id": None, "order_id": None},
        {"client_id": "c", "time_ns": AT, "action": "cancel", "trade_id": None,
         "order_id": "cancelled-by-this-life-at-once"},
    ]  # fmt: skip
    fills = [fill("5", "filled-before", 500, "1000"), fill("6", "partly", 600), fill("9", "filled-later", AT, "1000")]
    moment = Moment(AT, wanted, orders, fills)
    past = [one for one in fills if not moment.is_later(one)]
    intents = {row["client_id"]: intent(row["client_id"], number) for number, row in enumerate(orders, start=1)}
    found = working_before(orders, intents, past, moment)
    assert {one.client_id: int(one.filled_units) for one in found} == {
        "waiting": 0, "filled-later": 0, "partly": 400, "cancelled-later": 0, "cancelled-by-this-life-at-once": 0,
    }  # fmt: skip


def test_an_order_that_was_moved_waits_where_it_was_moved_to() -> None:
    name = client_id(1, 1)
    moved, refused = order("m", 20, "DONE", 20, action="modify"), order("n", 30, "REJECTED", 30, action="modify")
    rows = [order(name, 10), moved, refused]
    intents = {
        name: intent(name, 1, stop_loss="1.0"),
        "m": intent("m", 2, action="modify", order_id=name, price="1.2", stop_loss="0"),
        "n": intent("n", 3, action="modify", order_id=name, price="1.3"),
    }
    (found,) = working_before(rows, intents, [], Moment(AT, [], rows, []))
    assert (found.intent.price, found.intent.stop_loss) == (Decimal("1.2"), None)


def test_of_an_order_of_the_very_moment_the_first_part_was_filled_and_the_next_quotes_bring_the_others() -> None:
    fills = [fill("12", "market", AT), fill("13", "market", AT), fill("14", None, AT), fill("15", "waited", AT)]
    moment = Moment(AT, [], [order("market", AT), order("waited", 10)], fills)
    assert [moment.is_later(one) for one in fills] == [False, True, True, True]
