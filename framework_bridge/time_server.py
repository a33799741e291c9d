"""Whether a time server answers, found out before the library asks one: it would ask for ever."""

from __future__ import annotations

import math
import select
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

from atrader.clock import NS_PER_S, Clock

_PORT: Final = 123
_REQUEST: Final = b"\x1b" + 47 * b"\0"  # version 3, client
_ANSWER: Final = struct.Struct("!BBbb11I")
_SERVER: Final = 4
_SINCE_1900_S: Final = 2_208_988_800
_AGAIN_S: Final = 30.0  # after nobody answered
TOLERANCE_S: Final = 1800.0
"""By how much the library lets clocks differ."""


class ServerTime(NamedTuple):
    """What came of asking.

    Attributes
    ----------
    offset_s : float or None
        How far the server is ahead of this machine; None when nobody answered.
    reason : str
        Why nobody did.
    """

    offset_s: float | None
    reason: str = ""

    @property
    def problem(self) -> str | None:
        """What speaks against a live call; None: nothing."""
        if self.offset_s is None:
            return f"no time server answers ({self.reason}), and the library would wait for one for ever"
        if abs(self.offset_s) > TOLERANCE_S:
            return f"this machine's clock is {-self.offset_s:+.0f} s off, and the library refuses more than 1800 s"
        return None


class TimeProof:
    """Proves before live calls that time servers answer, as often as the library asks one.

    Parameters
    ----------
    servers : sequence of str
        ``HOST`` or ``HOST:PORT``.
    deadline_s : float
        Longest that a proof may hold the caller up, name lookups included.
    interval_s : float
        How long a proof is good.
    clock : Clock
        The machine's.
    """

    def __init__(self, servers: Sequence[str], deadline_s: float, interval_s: float, clock: Clock) -> None:
        self._servers = tuple(servers)
        self._deadline_s = deadline_s
        self._interval_s = interval_s
        self._clock = clock
        self._again_s = -math.inf
        self._problem: str | None = None
        self._asking: threading.Thread | None = None

    def problem(self) -> str | None:
        """Return what speaks against a live call now; asks when the last answer is too old, and blocks for that."""
        if self._clock.monotonic_s() < self._again_s:
            return self._problem
        if self._asking is None or not self._asking.is_alive():
            self._problem = f"no time server was found within {self._deadline_s:g} s"
            self._asking = threading.Thread(target=self._ask, name="time-servers", daemon=True)
            self._asking.start()
        self._asking.join(2 * self._deadline_s)  # a lookup of names knows no deadline
        pause_s = self._interval_s if self._problem is None else min(_AGAIN_S, self._interval_s)
        self._again_s = self._clock.monotonic_s() + pause_s
        return self._problem

    def _ask(self) -> None:
        self._problem = ask_time_servers(self._servers, self._deadline_s, self._clock).problem


def ask_time_servers(servers: Sequence[str], deadline_s: float, clock: Clock) -> ServerTime:
    """Ask all servers at once; the first answer counts. Blocks up to the deadline, and for the lookup of names.

    Parameters
    ----------
    servers : sequence of str
        ``HOST`` or ``HOST:PORT``.
    deadline_s : float
        For an answer.
    clock : Clock
        The machine's.
    """
    try:
        socket.getservbyname("ntp", "udp")
    except OSError:
        return ServerTime(None, "/etc/services has no entry ntp, which the library looks up; install netbase")
    reasons: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        for server in servers:
            host, _, port = server.partition(":")
            try:
                asking.sendto(_REQUEST, (host, int(port or _PORT)))
            except OSError as error:
                reasons.append(f"{server}: {error.strerror or error}")
        if len(reasons) == len(servers):
            return ServerTime(None, "; ".join(reasons))
        return _first_answer(asking, deadline_s, clock)


def _first_answer(asking: socket.socket, deadline_s: float, clock: Clock) -> ServerTime:
    end_s = clock.monotonic_s() + deadline_s
    while (left_s := end_s - clock.monotonic_s()) > 0:
        if not select.select([asking], [], [], left_s)[0]:
            break
        try:
            answer = asking.recv(512)
        except OSError:  # a port that is closed says so; another server may answer
            continue
        if len(answer) < _ANSWER.size:
            continue
        mode, stratum, *words = _ANSWER.unpack_from(answer)
        seconds, fraction = words[-2], words[-1]
        if mode & 7 == _SERVER and stratum and seconds:
            server_s = seconds - _SINCE_1900_S + fraction / 2**32
            return ServerTime(server_s - clock.now_ns() / NS_PER_S)
    return ServerTime(None, f"silence for {deadline_s:g} s")
