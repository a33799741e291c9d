"""A fleet whose account is at the simulator of OANDA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.oanda_simulator import HEDGING_ACCOUNT
from tests.oanda_simulator.hosting import RemoteSimulator
from tests.support.fleet import Fleet

ALWAYS_OPEN = """
[instruments."EUR/USD"]
kind = "fx"
calendar = "24/7"
price_tick = "0.00001"
pip = "0.0001"
unit_step = 1
min_units = 1
max_units = 100000000
margin_rate_frac = "0.02"
"""
"""The venue of the tests never closes, and tests run at weekends."""

RESTARTS = (
    "[process.restart]\ncount = 1000\nwindow = '1s'\nfirst_backoff = '0s'\nmin_backoff = '10ms'\nmax_backoff = '50ms'\n"
)
"""A process that is killed is there again at once."""

WATCHER = '''
"""Writes down what a strategy sees: warm-up, bars and quotes."""

import json
from pathlib import Path

from atrader.strategy import EventStrategy


class Watcher(EventStrategy):
    def on_start(self):
        self.tell("start", 0, 0.0)

    def on_tick(self, tick):
        self.tell("tick", tick.time_ns, tick.bid)

    def on_bar(self, bar):
        self.tell("bar", bar.open_time_ns, bar.close)

    def tell(self, what, time_ns, bid):
        warm_up = self.context.warm_up
        row = {"what": what, "time_ns": time_ns, "bid": bid, "whole": warm_up.whole, "bars": warm_up.bars}
        with (Path(__file__).parent / "seen.jsonl").open("a") as file:
            print(json.dumps(row), file=file)
'''


class OandaFleet(Fleet):
    """One account at a simulator, and strategies that watch.

    Parameters
    ----------
    root : Path
        Becomes the installation.
    venue : RemoteSimulator
        Where the account is.
    """

    def __init__(self, root: Path, venue: RemoteSimulator) -> None:
        super().__init__(root, {"OANDA_TOKEN": venue.token})
        self.venue = venue
        for folder in ("etc/accounts", "etc/strategies", "strategies"):
            (root / folder).mkdir(parents=True)
        (root / "strategies" / "watcher.py").write_text(WATCHER)

    def write_market(self, text: str = "", base: str = "1m") -> None:
        """Write etc/atrader.toml: prices of brokers, gaps looked for at once."""
        (self.home.etc / "atrader.toml").write_text(
            f"{RESTARTS}[data]\nbase_timeframe = '{base}'\n"
            f"late_quotes = '100ms'\n[data.backfill]\ncheck = '200ms'\nlive_window = '10m'\n{text}\n{ALWAYS_OPEN}"
        )

    def write_oanda(self, name: str = "oanda", account_id: str = HEDGING_ACCOUNT, text: str = "") -> None:
        """Write an account at the simulator."""
        (self.home.etc / "accounts" / f"{name}.toml").write_text(
            f"broker = 'oanda'\n{text}\n[oanda]\naccount_id = '{account_id}'\ntoken = 'env:OANDA_TOKEN'\n"
            f"rest_url = '{self.venue.rest_url}'\nstream_url = '{self.venue.stream_url}'\n"
        )

    def write_watcher(self, account: str = "oanda", warm_up: int = 50) -> None:
        """Write a strategy that writes down what it sees."""
        text = f"warmup_bars = {warm_up}\n{RESTARTS}"
        (self.home.etc / "strategies" / "watcher.toml").write_text(
            f"strategy = 'strategies/watcher.py:Watcher'\naccount = '{account}'\nmagic = 1\n"
            f"instrument = 'EUR/USD'\ntimeframe = '1m'\n{text}"
        )

    def seen(self, what: str = "") -> list[dict[str, Any]]:
        """Return what the strategy saw, oldest first."""
        path = self.home.root / "strategies" / "seen.jsonl"
        text = path.read_text() if path.exists() else ""
        rows = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [row for row in rows if not what or row["what"] == what]
