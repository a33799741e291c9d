"""One gateway process with nothing around it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from atrader.bus import StreamServer, close_context
from atrader.clock import SystemClock
from atrader.configuration.home import Home
from atrader.errors import Retryable
from atrader.exit_codes import ExitCode
from atrader.market import TICK, tick_topic
from atrader.messages.gateway import OrderAnswer
from atrader.orders.model import Intent
from atrader.orders.states import OrderState
from broker_api.client import BrokerClient
from tests.support.command_server import GATEWAY
from tests.support.fleet import wait_for
from tests.support.warm_commands import WarmProcess

CLOCK = SystemClock()
PAPER = 'broker = "paper"\n[paper]\ninitial_balance = 1000000\n'
SYNTHETIC = '[market]\nfeed = "synthetic"\ninstruments = ["EUR/USD"]\n'


class GatewayProcess:
    """A gateway with nothing around it but a stream of quotes; the data layer is away.

    Parameters
    ----------
    root : Path
        Becomes the installation.
    account : str
        Name of the account.
    account_file, fleet_file : str
        What its file and etc/atrader.toml say.
    """

    def __init__(
        self, root: Path, account: str = "paper", account_file: str = PAPER, fleet_file: str = SYNTHETIC
    ) -> None:
        self.account = account
        self.home = Home(root)
        for folder in (root / "etc" / "accounts", root / "etc" / "strategies", root / "run", root / "log"):
            folder.mkdir(parents=True)
        (root / "etc" / "atrader.toml").write_text(fleet_file)
        (root / "etc" / "accounts" / f"{account}.toml").write_text(account_file)
        (root / "etc" / "strategies" / "alpha.toml").write_text(
            f'strategy = "sma-cross"\naccount = "{account}"\nmagic = 7\ninstrument = "EUR/USD"\ntimeframe = "1m"\n'
            "[limits]\nmax_orders_per_minute = 100000\n"
        )
        self.home.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)  # the manager makes it otherwise
        self.process: WarmProcess | None = None
        self.quotes = StreamServer(self.home.endpoint("data.stream"))
        self.client = BrokerClient(self.home, account)
        self._n = 0

    def start(self, **environment: str) -> None:
        self.process = WarmProcess(
            [GATEWAY, str(self.home.root), self.account], environment={**os.environ, **environment}, out=1, err=2
        )

    def quote(self) -> None:
        now_ns = CLOCK.now_ns()
        self.quotes.publish(tick_topic("EUR/USD"), TICK, ("EUR/USD", now_ns, now_ns, 1.1, 1.1001))

    def intent(self, **values: Any) -> Intent:
        self._n += 1
        values = {"action": "open", "side": "buy", "units": Decimal(1000), **values}
        return Intent.model_validate(
            {
                "magic": 7,
                "n": self._n,
                "instance": "alpha",
                "instrument": "EUR/USD",
                "time_ns": CLOCK.now_ns(),
                **values,
            }
        )

    def submit(self, intent: Intent, deadline_s: float = 90.0) -> OrderAnswer:
        """Hand an intent over as a worker does: again and again until it is answered."""
        end_s = CLOCK.monotonic_s() + deadline_s
        while True:
            self.quote()
            try:
                return self.client.submit(intent, timeout_s=1.0)
            except Retryable:
                assert CLOCK.monotonic_s() < end_s, f"{intent} is not answered"

    def wait_quoted(self) -> None:
        """Wait until the gateway has a price: a market order fills."""
        wait_for(lambda: self.submit(self.intent()).order.state is OrderState.FILLED, "a first fill")

    def rows(self, path: Path, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def states(self) -> dict[int, str]:
        return dict(self.rows(self.home.journal(self.account), "SELECT n, state FROM orders"))

    def wait_for_end(self, deadline_s: float = 90.0) -> int:
        assert self.process is not None
        return self.process.wait(deadline_s)

    def stop(self) -> int:
        wait_for(self._answers, "the gateway to be up")
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_for_end()
        assert code == ExitCode.OK, (self.home.log / f"gateway-{self.account}.log").read_text()[-4000:]
        return code

    def _answers(self) -> bool:
        try:
            return self.client.account(timeout_s=1.0).name == self.account
        except Retryable:
            return False

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.client.close()
        self.quotes.close()
        close_context()
        if self.home.sockets != self.home.run:
            shutil.rmtree(self.home.sockets)

    def outcome(self, intent: Intent) -> str | None:
        """Return the state of an intent's order once it has one that lasts."""
        state = self.states().get(intent.n)
        return None if state in (None, "NEW", "SENT", "UNKNOWN") else state
