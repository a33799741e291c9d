"""``adopt`` and ``orphans`` over a running fleet: trades whose instance is gone find an owner, or their end."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from atrader.messages.gateway import GetAccount
from atrader.orders.model import Trade
from manager.commands.fleet import cli
from manager.commands.installed import ask_gateway
from tests.support.books import check_books
from tests.support.fleet import Fleet, wait_for

HOLD = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Hold(EventStrategy):
    def on_tick(self, tick):
        if not self.context.trades() and not self.context.orders():
            self.context.order("buy", units=Decimal(1000), reason="hold")
"""


class Shell:
    """Commands in this process: the same code and sockets, without an interpreter's start for each."""

    def __init__(self, fleet: Fleet) -> None:
        self._directory = str(fleet.home.root)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["-C", self._directory, *arguments])

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.output)

    def refused(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code != 0
        return f"{result.output}{result.exception}"

    def orphans(self) -> list[tuple[str, int]]:
        return [(row["instance"], row["open_trades"]) for row in self.json("orphans", "list")]


def held_by(fleet: Fleet, instance: str) -> list[Trade]:
    trades: tuple[Trade, ...] = ask_gateway(fleet.home, "paper", GetAccount()).open_trades
    return [trade for trade in trades if trade.instance == instance]


def assigned(fleet: Fleet) -> list[str]:
    return [str(row["text"]) for row in fleet.history("alerts") if row["kind"] == "trade-assigned"]


def remove(fleet: Fleet, shell: Shell, instance: str) -> None:
    (fleet.home.etc / "strategies" / f"{instance}.toml").unlink()
    assert shell.run("reload").exit_code == 0
    wait_for(lambda: instance in [name for name, _ in shell.orphans()], f"{instance} among the orphans")


def test_trades_of_a_removed_instance_are_adopted_handed_on_and_closed_by_command(fleet: Fleet) -> None:
    fleet.write_fleet()
    fleet.write_account()
    (fleet.home.root / "strategies").mkdir(exist_ok=True)
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD)
    for magic, name in enumerate(("first", "second", "third"), start=1):
        fleet.write_instance(name, magic, strategy="strategies/hold.py:Hold")
    fleet.start()
    shell = Shell(fleet)
    wait_for(lambda: all(held_by(fleet, name) for name in ("first", "second", "third")), "a trade of each")
    assert "no orphans" in shell.run("orphans", "list").output
    (trade,) = held_by(fleet, "first")

    remove(fleet, shell, "first")
    assert "no instance 'first'" in shell.refused("orphans", "assign", "paper", "first", "first")
    assert "now belongs to second" in shell.run("orphans", "assign", "paper", "first", "second").output
    assert "belongs to second, which is configured" in shell.refused("adopt", "paper", trade.trade_id, "third")

    remove(fleet, shell, "second")
    assert shell.orphans() == [("second", 2)]
    assert "second (2)" in shell.refused("orphans", "assign", "paper", "first", "third")
    assert "no account" in shell.refused("adopt", "nowhere", trade.trade_id, "third")
    (given,) = shell.json("adopt", "paper", trade.trade_id, "third")
    assert (given["instance"], given["magic"]) == ("third", 3)
    assert len(held_by(fleet, "third")) == 2
    assert "confirm with --yes" in shell.refused("orphans", "close", "paper", "second")
    assert shell.json("orphans", "close", "paper", "2", "--yes")["done"] == 1
    wait_for(lambda: shell.orphans() == [], "nobody left")
    wait_for(lambda: {row["instance"] for row in fleet.history("trades")} == {"second", "third"}, "it in the history")
    texts = wait_for(lambda: len(told := assigned(fleet)) == 2 and told, "both alerts")
    assert [text.partition("went ")[2] for text in texts] == [
        "from first (magic 1) to second (magic 2)",
        "from second (magic 2) to third (magic 3)",
    ]
    assert fleet.stop() == 0
    check_books(fleet)
    assert "nothing runs" in shell.refused("orphans", "list")


def test_an_account_that_leaves_with_a_trade_is_told_until_somebody_looks_after_it_again(fleet: Fleet) -> None:
    fleet.write_fleet()
    fleet.write_account()
    (fleet.home.root / "strategies").mkdir(exist_ok=True)
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD)
    fleet.write_instance("first", 1, strategy="strategies/hold.py:Hold")
    fleet.start()
    shell = Shell(fleet)
    wait_for(lambda: held_by(fleet, "first"), "a trade")
    files = [fleet.home.etc / "strategies" / "first.toml", fleet.home.etc / "accounts" / "paper.toml"]
    texts = [path.read_text() for path in files]
    for path in files:
        path.unlink()
    left = "first (magic 1): open trades 1, working orders 0"
    lines = shell.json("reload")["lines"]
    assert [line for line in lines if line.startswith("gateway-paper: stopped") and left in line], lines
    wait_for(lambda: [row for row in fleet.history("alerts") if left in str(row["text"])], "the alert")
    assert left in shell.run("doctor", "--offline").output
    for path, text in zip(files, texts, strict=True):
        path.write_text(text)
    assert shell.run("reload").exit_code == 0
    wait_for(lambda: held_by(fleet, "first"), "the trade with its owner")
    assert left not in shell.run("doctor", "--offline").output
