"""One real data-layer process over a directory of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from atrader.bus import BeatSender
from atrader.clock import host_now_ns
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import DeadlineExceeded
from atrader.market import Tick
from atrader.messages.prices import TICKS, Place, ticks_body
from data_layer.client import DataClient
from tests.support.command_server import DATA_LAYER
from tests.support.warm_commands import WarmProcess

_START_S = 90.0


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = _START_S) -> Any:
    """Return the first true value of a condition; fail with what was waited for."""
    end_s = time.monotonic() + deadline_s
    while not (found := condition()):
        if time.monotonic() > end_s:
            raise AssertionError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(0.01)
    return found


class DataLayerProcess:
    """A data layer that can be started, killed and started again.

    Parameters
    ----------
    root : Path
        Directory of the installation.
    fleet : dict
        What etc/atrader.toml would say.
    instances, accounts : dict
        What the other files would say, by name.
    """

    def __init__(self, root: Path, fleet: dict[str, Any] | None = None, **others: Any) -> None:
        self.home = Home(root)
        for directory in (self.home.data, self.home.log, self.home.run, self.home.sockets):
            directory.mkdir(parents=True, exist_ok=True)
        self._written = {"home": str(root), "fleet": fleet or {}, "accounts": {}, "instances": {}, **others}
        self.installation = Installation.model_validate(self._written)
        self._process: WarmProcess | None = None

    def start(self) -> Self:
        """Start and wait until it answers."""
        path = self.home.run / "installation.json"
        path.write_text(json.dumps(self._written))
        self._process = WarmProcess([DATA_LAYER, str(path)], environment=os.environ, out=1, err=2)
        client = DataClient(self.home, timeout_s=0.2)
        try:
            wait_until(lambda: self._answers(client), "the data layer to answer", _START_S)
        finally:
            client.close()
        return self

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it logged."""
        path = self.home.log / "data-layer.log"
        return path.read_text() if path.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it with SIGTERM; return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
        return self._process.wait(_START_S)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        assert self._process is not None
        return self._process.wait(_START_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self, client: DataClient) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the data layer ended with {self._process.returncode}: {self.log}")
        try:
            client.replay()
        except DeadlineExceeded:
            return False
        return True


class Quotes:
    """Pushes quotes as a gateway does."""

    def __init__(self, layer: DataLayerProcess) -> None:
        self.push = BeatSender(layer.home.endpoint("data.push"), "gateway-test")
        self._place = Place(host_now_ns(), 0, 1)

    def send(self, price: float, time_ns: int | None = None, symbol: str = "EUR/USD") -> None:
        now_ns = host_now_ns()
        self.send_all([Tick(symbol, now_ns if time_ns is None else time_ns, now_ns, price, price + 0.0002)])

    def send_all(self, ticks: Sequence[Tick]) -> None:
        """Push quotes at once."""
        self._place = self._place._replace(seq=self._place.seq + 1)
        body = ticks_body(self._place, ticks)
        wait_until(lambda: self.push.send(TICKS, body), "the push socket")

    def until(self, condition, what: str) -> None:
        """Quote every 20 ms until something is true."""
        end_s = time.monotonic() + _START_S
        price = 1.1
        while not condition():
            assert time.monotonic() < end_s, f"waited in vain for {what}"
            price += random.Random(int(price * 1e9)).uniform(-1e-4, 1e-4)
            self.send(round(price, 5))
            time.sleep(0.02)

    def close(self) -> None:
        self.push.close()
