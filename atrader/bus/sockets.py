"""How sockets are made and closed here: every one bounded in memory, in time, and at exit.

One context per process, made when the first socket is, so never before a fork.
"""

from __future__ import annotations

import itertools
import os
import socket as unix
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakSet

import zmq
from zmq.utils import garbage

from atrader.bus import admission
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.errors import AtraderError, ConfigError, WireError

Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"
Socket: TypeAlias = "zmq.Socket[bytes]"

_UNBIND_LIMIT_S: Final = 1.0  # libzmq closes a listener in its own thread, normally within 1 ms

_READABLE: Final = int(zmq.POLLIN)  # plain: the operators of an enum are Python code

_domains = itertools.count(1)
_others: WeakSet[Closing] = WeakSet()
_context: Context | None = None
_context_pid = 0


class Closing(Protocol):
    """What ends with the context although libzmq does not know it."""

    def close(self) -> None:
        """Close; may be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """Bounds of a socket.

    Attributes
    ----------
    hwm : int, default 1000
        Messages queued per peer in each direction; beyond it a sender drops or is refused, never waits.
    linger_ms : int, default 500
        How long closing may go on sending what is queued. The default of libzmq is for ever and hangs exits.
    max_message_bytes : int, default 128 MiB
        A peer that sends a larger frame is cut off; a million bars are 8 MB a column.
    reconnect_ms, reconnect_max_ms : int, default 50 and 1000
        First and longest pause between attempts to reach an absent server: a restarted one is found within a second.
    heartbeat_ms : int, default 5000
        Of tcp connections; a peer silent for three of them is taken for gone (half-open connections). On streams the
        kernel asks for the sign of life: libzmq's own heartbeats take a subscriber that does not read for dead, and
        then abort its process (libzmq issues 3937, 4364).
    handshake_ms : int, default 5000
        How long a tcp peer may take to prove who it is.
    """

    hwm: int = 1000
    linger_ms: int = 500
    max_message_bytes: int = 128 * 1024 * 1024
    reconnect_ms: int = 50
    reconnect_max_ms: int = 1000
    heartbeat_ms: int = 5000
    handshake_ms: int = 5000


def context() -> Context:
    """Return the context of this process."""
    global _context, _context_pid
    if _context is None or _context.closed or _context_pid != os.getpid():
        _context, _context_pid = zmq.Context(), os.getpid()
    return _context


def close_context() -> None:
    """Close every socket of this process and end its ZeroMQ threads; waits for ``linger_ms`` of the sockets at most.

    For processes that end by `os._exit` (children of multiprocessing do) or must leave no thread behind. Sockets may
    be made again afterwards.
    """
    global _context
    for other in list(_others):
        other.close()
    if _context is not None and _context_pid == os.getpid():
        admission.close_all_doors()
        _context.destroy()
        garbage.gc.stop()  # the thread that frees buffers sent without copying
    _context = None


def closed_with_context(other: Closing) -> None:
    """Close this too when the context is closed."""
    _others.add(other)


def server_socket(
    kind: int, endpoint: Endpoint, curve: CurveKeys | None, options: SocketOptions
) -> tuple[Socket, Endpoint]:
    """Make a socket of a kind (``zmq.ROUTER``, ...) and bind it.

    Returns
    -------
    socket, endpoint
        The endpoint has the real port where 0 was asked for.

    Raises
    ------
    ConfigError
        When the endpoint is tcp without keys, is in use, or cannot be bound.
    """
    socket = _make(kind, endpoint, options)
    try:
        return socket, bind_also(socket, endpoint, curve, options)
    except AtraderError:
        admission.close_door(socket.getsockopt_string(zmq.ZAP_DOMAIN))
        socket.close(linger=0)
        raise


def bind_also(socket: Socket, endpoint: Endpoint, curve: CurveKeys | None, options: SocketOptions) -> Endpoint:
    """Bind a socket to one more endpoint; return it with the real port. One of a socket's endpoints may be tcp.

    Raises
    ------
    ConfigError
        As `server_socket`.
    """
    endpoint.require_keys(curve is not None and curve.server_secret is not None)
    if endpoint.transport == "tcp" and curve is not None and curve.server_secret is not None:
        _set_tcp_options(socket, options)
        domain = f"{endpoint}#{next(_domains)}"  # one each: two servers may both have asked for port 0
        admission.open_door(context(), domain, curve.admitted)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SERVER, 1)  # like all options, for the endpoints that come after it
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, curve.server_secret)
    return _bind(socket, endpoint)


def client_socket(
    kind: int, endpoint: Endpoint, curve: CurveKeys | None, options: SocketOptions, *, drop_when_absent: bool = False
) -> Socket:
    """Make a socket of a kind and connect it; the peer need not be there yet.

    Parameters
    ----------
    drop_when_absent : bool, default False
        Queue nothing for a peer that is not connected: sending fails at once instead.

    Raises
    ------
    ConfigError
        When the endpoint is tcp without keys.
    """
    endpoint.require_keys(curve is not None)
    socket = _make(kind, endpoint, options)
    try:
        if drop_when_absent:
            socket.setsockopt(zmq.IMMEDIATE, 1)
        if endpoint.transport == "tcp" and curve is not None:
            socket.setsockopt_string(zmq.CURVE_SERVERKEY, curve.server_public)
            socket.setsockopt_string(zmq.CURVE_PUBLICKEY, curve.client_public)
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, curve.client_secret)
        socket.connect(endpoint.address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise ConfigError(f"endpoint {endpoint}: cannot connect: {error.strerror}") from error
    return socket


def close_server_socket(socket: Socket, bound: Endpoint) -> None:
    """Unbind and close a server's socket, and return only when a successor can bind.

    libzmq closes the listener in a thread of its own. The socket file stays: removing it could hit a successor's.
    """
    if not socket.closed:
        try:
            socket.unbind(bound.address)
        except zmq.ZMQError:
            pass  # the context is ending, and the listener with it
        else:
            _wait_until_free(bound.path)
        admission.close_door(socket.getsockopt_string(zmq.ZAP_DOMAIN))
        socket.close()


def is_readable(socket: Socket) -> bool:
    """Tell whether a message waits; cheaper than the exception of trying to receive none."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & _READABLE)


def as_buffers(frames: Sequence[Any]) -> list[memoryview]:
    """Return raw frames as buffers that can be sent.

    One that cannot would be noticed only after those before it are sent, and what follows would be read as their rest.

    Raises
    ------
    WireError
        When a frame is no contiguous buffer (a strided numpy view: copy it first).
    """
    buffers = []
    for number, frame in enumerate(frames):
        try:
            buffer = memoryview(frame)
        except (TypeError, ValueError, BufferError) as error:
            raise WireError(f"frame {number}: {error}") from error
        if not buffer.c_contiguous:
            raise WireError(f"frame {number}: expected a contiguous buffer; use numpy.ascontiguousarray")
        buffers.append(buffer)
    return buffers


def _make(kind: int, endpoint: Endpoint, options: SocketOptions) -> Socket:
    socket = context().socket(kind)
    for option, value in (
        (zmq.LINGER, options.linger_ms),
        (zmq.SNDHWM, options.hwm),
        (zmq.RCVHWM, options.hwm),
        (zmq.SNDTIMEO, 0),  # nothing here ever waits inside libzmq
        (zmq.RCVTIMEO, 0),
        (zmq.MAXMSGSIZE, options.max_message_bytes),
        (zmq.RECONNECT_IVL, options.reconnect_ms),
        (zmq.RECONNECT_IVL_MAX, options.reconnect_max_ms),
    ):
        socket.setsockopt(option, value)
    if endpoint.transport == "tcp":
        _set_tcp_options(socket, options)
    return socket


def _set_tcp_options(socket: Socket, options: SocketOptions) -> None:
    kind = socket.getsockopt(zmq.TYPE)
    values = [
        (zmq.IPV6, 1),
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, max(1, options.heartbeat_ms // 1000)),
        (zmq.TCP_KEEPALIVE_INTVL, max(1, options.heartbeat_ms // 1000)),
        (zmq.TCP_KEEPALIVE_CNT, 3),
        (zmq.HANDSHAKE_IVL, options.handshake_ms),
    ]
    if kind not in (zmq.XPUB, zmq.SUB):
        values += [
            (zmq.HEARTBEAT_IVL, options.heartbeat_ms),
            (zmq.HEARTBEAT_TIMEOUT, 3 * options.heartbeat_ms),
            (zmq.HEARTBEAT_TTL, 3 * options.heartbeat_ms),
        ]
    elif kind == zmq.SUB:  # not of a publisher: it would count a subscriber that does not read as gone
        values.append((zmq.TCP_MAXRT, 3 * options.heartbeat_ms))
    for option, value in values:
        socket.setsockopt(option, value)


def _bind(socket: Socket, endpoint: Endpoint) -> Endpoint:
    path = endpoint.path
    if path is not None:
        _refuse_if_served(endpoint, path)
    deadline_s = time.monotonic() + _UNBIND_LIMIT_S
    while True:
        try:
            socket.bind(endpoint.address)
            break
        except zmq.ZMQError as error:
            if error.errno == zmq.EADDRINUSE and time.monotonic() < deadline_s:
                time.sleep(0.005)  # a predecessor's port is closed by libzmq's own thread
                continue
            raise ConfigError(f"endpoint {endpoint}: cannot bind: {error.strerror}") from error
    if path is not None:
        path.chmod(0o600)
    return Endpoint(endpoint.transport, socket.getsockopt_string(zmq.LAST_ENDPOINT))


def _refuse_if_served(endpoint: Endpoint, path: Path) -> None:
    """Refuse a socket file that somebody serves: libzmq would take it over and leave both running."""
    if not path.parent.is_dir():
        raise ConfigError(f"endpoint {endpoint}: the directory {path.parent} does not exist")
    if path.exists() and not path.is_socket():
        raise ConfigError(f"endpoint {endpoint}: the path exists and is no socket")
    try:
        served = _is_served(path)
    except OSError as error:
        raise ConfigError(f"endpoint {endpoint}: cannot tell whether it is in use: {error}") from error
    if served:
        raise ConfigError(f"endpoint {endpoint}: another process serves it already")


def _is_served(path: Path) -> bool:
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM) as probe:
        probe.settimeout(_UNBIND_LIMIT_S)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False  # no file, or one that a dead process left
    return True


def _wait_until_free(path: Path | None) -> None:
    deadline_s = time.monotonic() + _UNBIND_LIMIT_S
    while path is not None and time.monotonic() < deadline_s and _is_served(path):
        time.sleep(0.0005)
