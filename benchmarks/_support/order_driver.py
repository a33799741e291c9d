"""One client that opens and closes trades as fast as the gateway answers; a process of its own.

Arguments: installation, account, instance, magic, seconds. Says ``ready``, waits for a line, then prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

from atrader.clock import SystemClock
from atrader.configuration.home import Home
from atrader.orders.model import Intent
from atrader.orders.states import OrderState
from broker_api.client import BrokerClient


def main(root: str, account: str, instance: str, magic: str, seconds: str) -> None:
    """Drive one account."""
    client, clock = BrokerClient(Home(Path(root)), account), SystemClock()
    common = {"magic": int(magic), "instance": instance, "instrument": "EUR/USD"}
    took: list[float] = []
    states: dict[str, int] = {}
    opened: str | None = None
    print("ready", flush=True)
    sys.stdin.readline()
    end_s = time.monotonic() + float(seconds)
    n = client.attach(instance, int(magic), clock.now_ns()).last_n
    while time.monotonic() < end_s:
        n += 1
        wish = {"action": "close", "trade_id": opened} if opened else {"action": "open", "side": "buy"}
        units = {} if opened else {"units": Decimal(1000)}
        intent = Intent.model_validate({**common, **wish, **units, "n": n, "time_ns": clock.now_ns()})
        began_s = time.perf_counter()
        order = client.submit(intent).order
        took.append(time.perf_counter() - began_s)
        states[order.state] = states.get(order.state, 0) + 1
        opened = intent.client_id if opened is None and order.state is OrderState.FILLED else None
    client.close()
    json.dump({"orders": len(took), "states": states, "took_s": took}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
