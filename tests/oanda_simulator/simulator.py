"""The whole: two ports, a venue, a script of faults."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Literal, Self

from tests.oanda_simulator.account import Account, AccountSettings
from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.control import Commands, ControlServer
from tests.oanda_simulator.faults import Faults
from tests.oanda_simulator.hours import Hours
from tests.oanda_simulator.http_server import HttpServer, Request
from tests.oanda_simulator.instruments import Spec
from tests.oanda_simulator.limits import Limits, Rate
from tests.oanda_simulator.market import Halt, Level, Quote
from tests.oanda_simulator.reply import Reply, error
from tests.oanda_simulator.rest_server import RestServer
from tests.oanda_simulator.stream_server import StreamServer
from tests.oanda_simulator.streams import WINDOW_S
from tests.oanda_simulator.values import Fields
from tests.oanda_simulator.venue import Venue

Environment = Literal["practice", "live"]
NETTING_ACCOUNT: Final = "101-004-1234567-001"
HEDGING_ACCOUNT: Final = "101-004-1234567-002"


class OandaSimulator:
    """OANDA v20 on two local ports. Use it as an asynchronous context.

    Parameters
    ----------
    accounts : sequence of AccountSettings or str, optional
        The accounts; a text is the id of a netting account. None: `NETTING_ACCOUNT` and `HEDGING_ACCOUNT`.
    start_ns : int, optional
        A virtual clock that begins here (UTC nanoseconds) and moves by `advance`. None: the clock of the host.
    skew_s : float, default 0.0
        How far the venue's clock is ahead of the host's.
    hours : {"fx", "always"}, optional
        When the market trades. None: ``fx`` on a virtual clock, ``always`` on that of the host, so that tests may run
        at weekends.
    limits : Limits, optional
        None: those of the real venue, with two new connections a second. ``Limits.loose()`` for quick tests.
    environment : {"practice", "live"}, default "practice"
        Tokens of the other environment are refused.
    price_window_s : float, default 0.25
        Price streams send one price per instrument in such a window; 0 sends all.
    echo_request_ids : {"all", "declared", "none"}, default "all"
        For which calls ``ClientRequestID`` becomes the ``requestID`` of the transactions; ``declared``: replace and
        cancel only, as the specification says.
    specs : dict of str to Spec, optional
        The instruments; None: a dozen common ones, each with a first price.
    rest_port, stream_port : int, default 0
        Where it listens; 0: any free port.
    monotonic_s : callable, optional
        The clock by which `limits` count, seconds; by default that of the host.

    Attributes
    ----------
    rest_url, stream_url : str
        Where clients connect, without ``/v3``.
    token : str
        What they must bring.
    venue : Venue
        The truth behind it.
    faults : Faults
        What goes wrong.
    prices_move : bool
        Whether synthetic or recorded prices, if there are any, go on.
    commands : Commands
        What other processes may command (trades by hand, transfers, dividends, ...), for this one.
    requests : deque of (str, str)
        Method and path of the newest requests.
    """

    def __init__(
        self,
        accounts: Sequence[AccountSettings | str] | None = None,
        *,
        start_ns: int | None = None,
        skew_s: float = 0.0,
        hours: Hours | None = None,
        limits: Limits | None = None,
        environment: Environment = "practice",
        price_window_s: float = WINDOW_S,
        echo_request_ids: Literal["all", "declared", "none"] = "all",
        specs: dict[str, Spec] | None = None,
        rest_port: int = 0,
        stream_port: int = 0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        if accounts is None:
            accounts = (NETTING_ACCOUNT, AccountSettings(HEDGING_ACCOUNT, hedging=True))
        settings = [AccountSettings(each) if isinstance(each, str) else each for each in accounts]
        self.clock = VenueClock(start_ns, skew_s)
        self.venue = Venue(settings, self.clock, hours or ("always" if start_ns is None else "fx"), specs)
        self.limits = limits or Limits()
        self.environment = environment
        self.price_window_s = price_window_s
        self.echo_request_ids = echo_request_ids
        self.tokens: dict[str, Environment] = {
            "practice-0123456789abcdef-fedcba9876543210": "practice",
            "live-0123456789abcdef-fedcba9876543210": "live",
        }
        self.faults = Faults()
        self.prices_move = True
        self.commands = Commands(self)
        self.requests: deque[tuple[str, str]] = deque(maxlen=10_000)
        self.request_rate = Rate(self.limits.requests_per_s, monotonic_s)
        self.connection_rate = Rate(self.limits.connections_per_s, monotonic_s)
        self.rest_url = self.stream_url = ""
        self._ports = (rest_port, stream_port)
        self._streams = StreamServer(self)
        self._rest_server = HttpServer(RestServer(self).serve)
        self._stream_server = HttpServer(self._streams.serve)
        self._control_server = HttpServer(ControlServer(self.commands).serve)
        self._request_number = 42_000_000_000_000_000
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: list[BaseException] = []

    @property
    def token(self) -> str:
        """A token of this environment."""
        return next(token for token, environment in self.tokens.items() if environment == self.environment)

    async def __aenter__(self) -> Self:
        rest, stream = self._ports
        self.rest_url = f"http://127.0.0.1:{await self._rest_server.start(rest)}"
        self.stream_url = f"http://127.0.0.1:{await self._stream_server.start(stream)}"
        if not self.clock.virtual:
            self.spawn(self.clock.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rest_server.stop()
        await self._stream_server.stop()
        await self._control_server.stop()
        for task in list(self._tasks):
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        failures = [each for each in (*self._failed, *ended) if isinstance(each, Exception)]
        for server in (self._rest_server, self._stream_server, self._control_server):
            failures += server.failures
        if failures and error is None:
            raise ExceptionGroup("defects of the simulator", failures)

    async def start_control(self, port: int = 0) -> str:
        """Let other processes command this simulator. Returns the address."""
        return f"http://127.0.0.1:{await self._control_server.start(port)}"

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine until the simulator ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed.append(error)

    # What the servers ask.

    def gate(self, request: Request) -> Reply | None:
        """Return the refusal of a request without a good token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and self.tokens.get(token) == self.environment:
            return None
        return error(401, "Insufficient authorization to perform request.")

    def new_request_id(self) -> str:
        """Return the id of one more request."""
        self._request_number += 1
        return str(self._request_number)

    def echoed_id(self, request: Request, request_id: str) -> str:
        """Return the id that the transactions of a request carry: the client's where it is taken."""
        own = request.headers.get("clientrequestid")
        declared = request.method == "PUT" and "/orders/" in request.path and "/trades/" not in request.path
        if own and (self.echo_request_ids == "all" or (self.echo_request_ids == "declared" and declared)):
            return own
        return request_id

    # What tests do.

    def account(self, account_id: str = NETTING_ACCOUNT) -> Account:
        """Return the venue's truth of an account."""
        return self.venue.accounts[account_id]

    def quote(
        self,
        instrument: str,
        bid: Decimal | str | None = None,
        ask: Decimal | str | None = None,
        *,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
        at: int | None = None,
    ) -> Quote:
        """Make a price; ``at`` moves a virtual clock there first (UTC nanoseconds).

        Pending orders see it before this returns. Give ladders (best first) or one price a side; a side without a price
        is empty.
        """
        if at is not None:
            self.clock.advance_to(at)
        return self.venue.quote(instrument, bid, ask, bids, asks)

    def halt(self, instrument: str, side: Halt = "all") -> None:
        """Halt an instrument (``all``, ``bid``, ``ask``) or let it trade again (``none``)."""
        self.venue.market.halt(instrument, side)

    async def advance(self, seconds: float) -> None:
        """Move a virtual clock; everything that falls due happens, and reaches the sockets."""
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def disturb(self, stream: str, kind: str, times: int = 1, delay_s: float = 0.05) -> None:
        """Let the open streams of a sort (``pricing``, ``transactions``) go wrong, or the next one if none is open."""
        self.faults.stream(stream, kind, times, delay_s)
        wrong = [each for each in self._streams.open if each.kind == stream]
        if wrong:
            for fault in self.faults.take_stream(stream):
                for each in wrong:
                    each.inject(fault)

    def maintain(self, on: bool = True) -> None:
        """Begin or end maintenance: 503 on REST, streams ended and refused."""
        self.faults.maintenance = on
        if on:
            self._stream_server.drop_all()

    def drop_connections(self, reset: bool = False) -> None:
        """End every connection at once."""
        self._rest_server.drop_all(reset)
        self._stream_server.drop_all(reset)

    def write_transaction(self, account_id: str, kind: str, **fields: Any) -> Fields:
        """Write a transaction of any type, known or not, into an account's log and its streams."""
        return self.account(account_id).log.append(kind, fields)

    @property
    def open_streams(self) -> list[str]:
        """The kinds of the streams that are open."""
        return [stream.kind for stream in self._streams.open]
