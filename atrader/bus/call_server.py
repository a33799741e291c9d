"""The answering side of calls: a ROUTER whose handlers may be functions or coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import zmq

from atrader.bus.calls import ID_BYTES
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.notices import Notices, OnError
from atrader.bus.pump import Pump
from atrader.bus.sockets import Socket, SocketOptions, as_buffers, close_server_socket, server_socket
from atrader.clock import NS_PER_MS, Clock, SystemClock
from atrader.errors import AtraderError, DeadlineExceeded, InternalError, Retryable, UnknownOutcome, WireError
from atrader.wire import Answer, Request, pack_answer, pack_error, unpack_request


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, until when, and what came with the request.

    Attributes
    ----------
    identity : bytes
        The connection; the same for all calls of one client until it reconnects.
    deadline_ns : int
        UTC nanoseconds after which the client no longer waits.
    frames : tuple of memoryview
        Raw frames after the request, such as numpy columns.
    """

    identity: bytes
    deadline_ns: int
    frames: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with raw frames.

    Attributes
    ----------
    answer : Answer
        What the request's class promises.
    frames : sequence of contiguous buffers
        Sent without copying: they must not be changed any more.
    """

    answer: Answer
    frames: Sequence[Any]


Handler: TypeAlias = Callable[[Any, Caller], Answer | Reply | Awaitable[Answer | Reply]]
"""Takes the request and its `Caller`; raises an `AtraderError` to have it raised in the caller."""


class CallServer:
    """Answers calls on one endpoint, from the asyncio loop it was started in.

    A plain handler runs in the loop at once and must be quick; a coroutine runs as a task of its own, so a slow one
    delays nobody; a future is answered when it is done, and cancelled when the server closes before. A request whose
    deadline has passed when it is read is not carried out. Errors of `atrader.errors` go to the caller; any other
    exception becomes an `InternalError` there and goes to `on_error` here.

    Parameters
    ----------
    endpoint : Endpoint or str
        Where to listen.
    handlers : mapping of request class to handler
        What this server answers.
    curve : CurveKeys, optional
        Needed for tcp.
    on_error : callable, optional
        Told of unforeseen exceptions and (once a minute) of malformed requests; the default writes to the log.
    max_running : int, default 256
        Coroutines running at a time; one more is refused with `Retryable`, so memory stays bounded.
    grace_s : float, default 1.0
        How long `close` waits for running coroutines before it cancels them.

    Attributes
    ----------
    counters : Counter of str
        ``received answered errors internal expired refused malformed unreachable dropped``.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        handlers: Mapping[type[Request], Handler],
        *,
        curve: CurveKeys | None = None,
        on_error: OnError | None = None,
        max_running: int = 256,
        grace_s: float = 1.0,
        options: SocketOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._asked = Endpoint.parse(endpoint)
        self._asked.require_keys(curve is not None)
        self._handlers = dict(handlers)
        self._curve = curve
        self._notices = Notices(on_error)
        self._max_running = max_running
        self._grace_s = grace_s
        self._options = options or SocketOptions()
        self._clock = clock or SystemClock()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._socket: Socket | None = None
        self._pump: Pump | None = None
        self.endpoint = self._asked
        self.counters: Counter[str] = Counter()

    async def start(self) -> None:
        """Bind and begin to answer.

        Raises
        ------
        ConfigError
            When the endpoint is in use or cannot be bound.
        """
        self._socket, self.endpoint = server_socket(zmq.ROUTER, self._asked, self._curve, self._options)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a peer that is gone is counted, not ignored
        self._pump = Pump(self._socket, self._on_message)

    async def close(self) -> None:
        """Take no more requests, give running ones `grace_s` to end, cancel the others, and free the endpoint.

        Callers whose request was cancelled get `UnknownOutcome`. May be called twice.
        """
        if self._socket is None or self._pump is None:
            return
        self._pump.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # a cancelled future is done at once, its caller is told in the next turn
        close_server_socket(self._socket, self.endpoint)
        self._socket = self._pump = None

    def _on_message(self, frames: list[zmq.Frame]) -> None:
        self.counters["received"] += 1
        if len(frames) < 3 or len(frames[1]) != ID_BYTES:
            self.counters["malformed"] += 1  # there is nobody to answer
            return
        head = [frames[0].bytes, frames[1].bytes]
        try:
            request, deadline_ns = unpack_request(frames[2].buffer)
            handler = self._handler_of(request)
        except WireError as error:
            self.counters["malformed"] += 1
            self._send(head, pack_error(error))
            self._notices.tell_seldom(error, f"{self.endpoint}: unreadable request")
            return
        late_ns = self._clock.now_ns() - deadline_ns
        if late_ns > 0:
            self.counters["expired"] += 1
            # Only a client whose clock is off still waits for this.
            self._send(head, pack_error(_expired(request, late_ns)))
            return
        caller = Caller(head[0], deadline_ns, tuple(frame.buffer for frame in frames[3:]))
        self._handle(handler, request, caller, head)

    def _handler_of(self, request: Request) -> Handler:
        handler = self._handlers.get(type(request))
        if handler is None:
            raise WireError(f"{request.kind!r} is not answered at {self.endpoint}", details={"kind": request.kind})
        return handler

    def _handle(self, handler: Handler, request: Request, caller: Caller, head: list[bytes]) -> None:
        try:
            result = handler(request, caller)
            if isinstance(result, asyncio.Future):
                self._await_outcome(result, request, head)
            elif inspect.isawaitable(result):
                self._start(result, request, head)
            else:
                self._answer(head, request, result)
        except Exception as error:  # noqa: BLE001 - boundary: no request may end the server
            self._fail(head, request, error)

    def _start(self, work: Awaitable[Answer | Reply], request: Request, head: list[bytes]) -> None:
        if len(self._tasks) >= self._max_running and inspect.iscoroutine(work):
            work.close()  # it has not begun
            self.counters["refused"] += 1
            raise Retryable(f"{request.kind}: {self._max_running} calls are running already at {self.endpoint}")
        task = asyncio.get_running_loop().create_task(self._finish(work, request, head))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _await_outcome(self, work: asyncio.Future[Answer | Reply], request: Request, head: list[bytes]) -> None:
        if len(self._tasks) >= self._max_running:
            self.counters["refused"] += 1
            work.cancel()
            raise Retryable(f"{request.kind}: {self._max_running} calls are running already at {self.endpoint}")
        self._tasks.add(work)
        work.add_done_callback(lambda done: self._on_outcome(done, request, head))

    def _on_outcome(self, work: asyncio.Future[Answer | Reply], request: Request, head: list[bytes]) -> None:
        self._tasks.discard(work)
        if work.cancelled():
            self._fail(head, request, _closed(request))
            return
        try:
            self._answer(head, request, work.result())
        except Exception as error:  # noqa: BLE001 - boundary: no request may end the server
            self._fail(head, request, error)

    async def _finish(self, work: Awaitable[Answer | Reply], request: Request, head: list[bytes]) -> None:
        try:
            self._answer(head, request, await work)
        except asyncio.CancelledError:
            self._fail(head, request, _closed(request))
            raise
        except Exception as error:  # noqa: BLE001 - boundary: no request may end the server
            self._fail(head, request, error)

    def _answer(self, head: list[bytes], request: Request, result: Answer | Reply) -> None:
        answer, frames = (result.answer, result.frames) if isinstance(result, Reply) else (result, ())
        if not isinstance(answer, request.answer):
            raise TypeError(f"{request.kind}: expected {request.answer.__name__}, the handler gave {answer!r:.80}")
        try:
            payload, buffers = pack_answer(answer), as_buffers(frames)
        except WireError as error:
            raise ValueError(error.message) from error  # our fault, not the caller's
        self._send(head, payload, buffers)
        self.counters["answered"] += 1

    def _fail(self, head: list[bytes], request: Request, error: Exception) -> None:
        if isinstance(error, AtraderError):
            self.counters["errors"] += 1
            self._send(head, pack_error(error))
            return
        self.counters["internal"] += 1
        text = f"{request.kind}: {type(error).__name__}: {error}"
        self._send(head, pack_error(InternalError(text, details={"kind": request.kind})))
        self._notices.tell(error, f"{self.endpoint}: {request.kind}")

    def _send(self, head: list[bytes], payload: bytes, frames: Sequence[Any] = ()) -> None:
        if self._pump is None:
            return
        try:
            self._pump.send([*head, payload, *frames])
        except zmq.Again:
            self.counters["dropped"] += 1  # the peer does not read its answers
        except zmq.ZMQError:
            self.counters["unreachable"] += 1


def _closed(request: Request) -> UnknownOutcome:
    return UnknownOutcome(f"{request.kind}: the server closed while it worked on this")


def _expired(request: Request, late_ns: int) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"{request.kind}: read {late_ns / NS_PER_MS:.0f} ms after its deadline and not carried out;"
        " if calls are young, the clocks of the two hosts differ",
        details={"late_ns": late_ns},
    )
