"""A fleet whose account is at the simulator of OANDA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.oanda_simulator import HEDGING_ACCOUNT
from tests.oanda_simulator.hosting import RemoteSimulator
from tests.support.fleet import PATIENT, Fleet

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
    f"{PATIENT}[process.restart]\ncount = 1000\nwindow = '1s'\nfirst_backoff = '0s'\nmin_backoff = '10ms'\n"
    "max_backoff = '50ms'\n"
)
"""A process that is killed is there again at once."""

WATCHER = '''
"""Writes down the last quote that a strategy sees, and how many bars it looks back on."""

import json
from pathlib import Path

from atrader.strategy import EventStrategy, Parameters


class WatcherParameters(Parameters):
    name: str


class Watcher(EventStrategy):
    Parameters = WatcherParameters

    def on_tick(self, tick):
        row = {"time_ns": tick.time_ns, "bars": self.context.warm_up.bars}
        path = Path(__file__).parent / f"{self.parameters.name}.json"
        path.with_suffix(".new").write_text(json.dumps(row))
        path.with_suffix(".new").replace(path)
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
            f"stop_grace = '60s'\n{RESTARTS}[data]\nbase_timeframe = '{base}'\n"
            f"late_quotes = '100ms'\n[data.backfill]\ncheck = '200ms'\nlive_window = '10m'\n{text}\n{ALWAYS_OPEN}"
        )

    def write_oanda(
        self, name: str = "oanda", account_id: str = HEDGING_ACCOUNT, more: str = "", account: str = ""
    ) -> None:
        """Write an account at the simulator; ``more`` goes to its table [oanda], ``account`` before it."""
        (self.home.etc / "accounts" / f"{name}.toml").write_text(
            f"broker = 'oanda'\n{account}[oanda]\naccount_id = '{account_id}'\ntoken = 'env:OANDA_TOKEN'\n"
            f"rest_url = '{self.venue.rest_url}'\nstream_url = '{self.venue.stream_url}'\n{more}"
        )

    def write_watcher(
        self, name: str, magic: int, account: str, warm_up: int = 50, instrument: str = "EUR/USD"
    ) -> None:
        """Write a strategy that writes down what it sees."""
        (self.home.etc / "strategies" / f"{name}.toml").write_text(
            f"strategy = 'strategies/watcher.py:Watcher'\naccount = '{account}'\nmagic = {magic}\n"
            f"instrument = '{instrument}'\ntimeframe = '1m'\nwarmup_bars = {warm_up}\n"
            f"parameters = {{ name = '{name}' }}\n{RESTARTS}"
        )

    def newest_ns(self, name: str) -> int:
        """Return the time of the newest quote that a watcher saw; 0 = none."""
        return int(self._seen(name).get("time_ns", 0))

    def bars(self, name: str) -> int:
        """Return how many bars a watcher looks back on."""
        return int(self._seen(name).get("bars", 0))

    def _seen(self, name: str) -> dict[str, Any]:
        path = self.home.root / "strategies" / f"{name}.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}
