"""Who may connect to the CURVE servers of this process.

libzmq asks one handler per context (ZAP). It runs in a thread of its own from the first CURVE server on
until the context is closed: libzmq frees its address too late to start a second one soon after.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

_lock = threading.Lock()
_authenticator: ThreadAuthenticator | None = None


class _Door:
    """The keys one server admits, in the form the authenticator asks for."""

    def __init__(self, admitted: frozenset[str]) -> None:
        self._admitted = frozenset(key.encode("ascii") for key in admitted)

    def callback(self, domain: str, key: bytes) -> bool:
        """Tell whether this client key (Z85) may come in."""
        return key in self._admitted


def open_door(context: zmq.Context[zmq.Socket[bytes]], domain: str, admitted: frozenset[str]) -> None:
    """Admit these public keys to the servers of a domain; call it before they bind."""
    global _authenticator
    from zmq.auth.thread import ThreadAuthenticator  # brings asyncio, which only servers with keys need

    with _lock:
        if _authenticator is None:
            _authenticator = ThreadAuthenticator(context)
            _authenticator.start()
        _authenticator.configure_curve_callback(domain, _Door(admitted))


def close_door(domain: str) -> None:
    """Admit nobody to a domain any more."""
    with _lock:
        if _authenticator is not None:
            _authenticator.configure_curve_callback(domain, _Door(frozenset()))


def close_all_doors() -> None:
    """End the thread; for the end of the context."""
    global _authenticator
    with _lock:
        if _authenticator is not None:
            _authenticator.stop()
            _authenticator = None


def _forget_in_child() -> None:
    """Drop a parent's handler without touching its sockets, which a forked child must not use."""
    global _authenticator, _lock
    if _authenticator is not None:
        _authenticator.pipe = _authenticator.thread = None  # type: ignore[assignment]
        _authenticator = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
