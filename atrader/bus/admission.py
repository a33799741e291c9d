"""Who may connect to the CURVE servers of this process.

libzmq asks one handler per context (ZAP). It runs in a thread of its own that lives as long as a CURVE server is open.
"""

from __future__ import annotations

import threading
from typing import Final

import zmq
from zmq.auth.thread import ThreadAuthenticator

_lock: Final = threading.Lock()
_authenticator: ThreadAuthenticator | None = None
_doors: dict[str, _Door] = {}


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
    with _lock:
        if _authenticator is None or _authenticator.context is not context or not _authenticator.is_alive():
            _doors.clear()  # of a parent process, or of a context that was closed
            _authenticator = ThreadAuthenticator(context)
            _authenticator.start()
        _doors[domain] = _Door(admitted)
        _authenticator.configure_curve_callback(domain, _doors[domain])


def close_door(domain: str) -> None:
    """Admit nobody to a domain any more; the last one ends the thread."""
    global _authenticator
    with _lock:
        if _doors.pop(domain, None) is None or _authenticator is None:
            return
        if _doors:
            _authenticator.configure_curve_callback(domain, _Door(frozenset()))
        else:
            _authenticator.stop()
            _authenticator = None


def close_all_doors() -> None:
    """End the thread, whoever is still open; for the end of the context."""
    for domain in list(_doors):
        close_door(domain)
