"""Commands for other processes: ``POST CONTROL_URL/COMMAND`` with a JSON object of arguments.

The answer is ``{"result": ...}`` or, with status 400, ``{"error": ...}``. ``GET CONTROL_URL`` lists the commands.
Decimals are strings, times UTC nanoseconds.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.oanda_simulator import closeout, financing, views
from tests.oanda_simulator.closing import close
from tests.oanda_simulator.faults import AFTER, BEFORE, LINE
from tests.oanda_simulator.http_server import Connection, head
from tests.oanda_simulator.market import Halt, Level
from tests.oanda_simulator.order_requests import order_request
from tests.oanda_simulator.placing import place
from tests.oanda_simulator.values import Fields, Malformed, dumps

if TYPE_CHECKING:
    from tests.oanda_simulator.simulator import OandaSimulator

_IDLE_S = 60.0
Ladder = list[tuple[str, int]]


class Commands:
    """What may be commanded; each public method is a command and its parameters are the arguments."""

    def __init__(self, simulator: OandaSimulator) -> None:
        self._simulator = simulator

    def quote(
        self,
        instrument: str,
        bid: str | None = None,
        ask: str | None = None,
        bids: Ladder | None = None,
        asks: Ladder | None = None,
    ) -> Fields:
        """Make a price: one a side, or ladders of ``[price, liquidity]``."""
        ladders = [[Level(Decimal(price), Decimal(units)) for price, units in side or ()] for side in (bids, asks)]
        return self._simulator.quote(instrument, bid, ask, bids=ladders[0], asks=ladders[1]).fields()

    def moving(self, on: bool) -> bool:
        """Let synthetic or recorded prices go on, or stand still."""
        self._simulator.prices_move = on
        return on

    def halt(self, instrument: str, side: Halt = "all") -> None:
        """Halt an instrument (``all``, ``bid``, ``ask``) or let it trade again (``none``)."""
        self._simulator.halt(instrument, side)

    async def advance(self, seconds: float) -> int:
        """Move a virtual clock. Returns its time."""
        await self._simulator.advance(seconds)
        return int(self._simulator.clock.now())

    def skew(self, seconds: float) -> int:
        """Set the venue's clock ahead, or behind when negative. Returns its time."""
        self._simulator.clock.skew(seconds)
        return int(self._simulator.clock.now())

    def fault(self, method: str, path: str, kind: str, times: int = 1, delay_s: float = 0.2) -> None:
        """Let the next requests go wrong."""
        self._simulator.faults.next(method, path, kind, times, delay_s)

    def random_faults(
        self,
        seed: int,
        rate: float,
        kinds: tuple[str, ...] = BEFORE + AFTER,
        methods: tuple[str, ...] = ("POST", "PUT", "GET"),
    ) -> None:
        """Let a fraction of all requests go wrong; a rate of 0 ends it."""
        self._simulator.faults.randomly(seed, rate, tuple(kinds), tuple(methods))

    def random_line_faults(self, seed: int, rate: float, kinds: tuple[str, ...] = LINE) -> None:
        """Let a fraction of all lines of the streams go wrong; a rate of 0 ends it."""
        self._simulator.faults.randomly_in_lines(seed, rate, tuple(kinds))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._simulator.faults.clear()

    def disturb(self, stream: str, kind: str, times: int = 1, delay_s: float = 0.05) -> None:
        """Let the streams of a sort (``pricing``, ``transactions``) go wrong."""
        self._simulator.disturb(stream, kind, times, delay_s)

    def hide(self, seconds: float, log: bool = False) -> None:
        """Show orders and trades (and, with ``log``, transactions) only some seconds after the venue took them."""
        self._simulator.faults.hide_s = seconds
        self._simulator.faults.hide_log_s = seconds if log else 0.0

    def unknown_fields(self, on: bool) -> None:
        """Let every object carry fields that no specification knows."""
        self._simulator.faults.unknown_fields = on

    def maintain(self, on: bool = True) -> None:
        """Begin or end maintenance."""
        self._simulator.maintain(on)

    def drop_connections(self, reset: bool = False) -> None:
        """End every connection at once."""
        self._simulator.drop_connections(reset)

    def transfer(self, account: str, amount: str) -> Fields:
        """Pay money in, or out when negative."""
        return self._simulator.account(account).transfer(Decimal(amount))

    def trade(self, account: str, instrument: str, units: str, **order: Any) -> Fields:
        """Trade by hand, as a person at the broker's own screen does. More arguments are fields of the order."""
        request = order_request({"order": {"type": "MARKET", "instrument": instrument, "units": units, **order}})
        return _fields(place(self._simulator.account(account), request).body)

    def close_trade(self, account: str, trade: str, units: str = "ALL") -> Fields:
        """Close a trade by hand."""
        return _fields(close(self._simulator.account(account), trade, {"units": units}).body)

    def dividend(self, account: str, instrument: str, per_unit: str) -> Fields | None:
        """Book a dividend on the open trades of an instrument: long ones receive it, short ones pay."""
        return financing.dividend(self._simulator.account(account), instrument, Decimal(per_unit))

    def delay_close(self, account: str, trade: str) -> Fields:
        """Let the venue close a trade as soon as it can be traded."""
        owner = self._simulator.account(account)
        return closeout.delay_close(owner, owner.trades[int(trade)])

    def transaction(self, account: str, kind: str, **fields: Any) -> Fields:
        """Write a transaction of any type."""
        return self._simulator.write_transaction(account, kind, **fields)

    def account(self, account: str) -> Fields:
        """Tell the truth of an account."""
        return views.whole(self._simulator.account(account))

    def transactions(self, account: str, since: int = 0) -> list[Fields]:
        """Tell the transactions after a number."""
        return self._simulator.account(account).log.since(since)

    def requests(self) -> list[tuple[str, str]]:
        """Tell method and path of the newest requests."""
        return list(self._simulator.requests)

    def drawn_faults(self) -> list[tuple[str, str, str]]:
        """Tell method, path and kind of the faults that happened."""
        return list(self._simulator.faults.drawn)


def _fields(body: Fields | bytes) -> Fields:
    return body if isinstance(body, dict) else {}


class ControlServer:
    """Serves the commands, one JSON object each."""

    def __init__(self, commands: Commands) -> None:
        self._table: dict[str, Callable[..., Any]] = {
            name: method for name, method in inspect.getmembers(commands, inspect.ismethod) if not name.startswith("_")
        }

    async def serve(self, connection: Connection) -> None:
        """Answer a connection's commands."""
        while request := await connection.read(_IDLE_S):
            if request.method == "GET":
                status, answer = 200, {"result": self._listed()}
            else:
                status, answer = await self._run(request.path.strip("/"), request.body)
            body = dumps(answer)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            connection.write(head(status, headers) + body)

    def _listed(self) -> dict[str, str]:
        return {
            name: f"{inspect.signature(method)}".replace("'", "") + f" {(method.__doc__ or '').strip()}"
            for name, method in self._table.items()
        }

    async def _run(self, name: str, body: bytes) -> tuple[int, Fields]:
        command = self._table.get(name)
        if command is None:
            return 400, {"error": f"no command {name!r}: one of {', '.join(self._table)}"}
        try:
            found = command(**json.loads(body or b"{}"))
            return 200, {"result": await found if inspect.isawaitable(found) else found}
        except (TypeError, ValueError, KeyError, ArithmeticError, RuntimeError, Malformed) as error:
            return 400, {"error": f"{name}: {type(error).__name__}: {error}"}
