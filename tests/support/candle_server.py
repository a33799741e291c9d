"""A service of candles and a screener on a real socket, which misbehaves on request."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from atrader.clock import iso_from_ns, parse_time
from atrader.market import Bar, Bars

USER, PASSWORD = "robot", "correct horse"
CANDLES, SCREENER, LOGIN, REFRESH = (
    "/api/v1/candles/",
    "/api/v1/filter-pipeline/run",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
)


class CandleServer:
    """Serves candles by key.

    Attributes
    ----------
    bars : dict of (str, str) to Bars
        By instrument key and timeframe.
    picked : list
        What the screener answers.
    token : str, optional
        What requests must bring; None lets everybody in. Log-ins and refreshes hand out new ones.
    refresh_token : str
        What renews the token last handed out.
    raw : list, optional
        Answered in place of candles.
    faults : list of str
        What is done to the next requests for candles, one each: ``401 403 404 429 500 truncated garbage slow away here
        nowhere deep shuffled html`` and ``for ever``; nothing is left out in between by an empty text.
    page : int, optional
        Candles of one answer; the rest comes by cursor.
    login_fields : (str, str)
        What user and password are called in a log-in.
    time_of : callable
        Reads the times of a request.
    cursor_name : str
        What the parameter for the cursor is called.
    """

    def __init__(self) -> None:
        self.bars: dict[tuple[str, str], Bars] = {}
        self.picked: list[Any] = []
        self.token: str | None = None
        self.refresh_token = ""
        self.raw: list[Any] | None = None
        self.faults: list[str] = []
        self.page: int | None = None
        self.login_fields = ("username", "password")
        self.time_of: Callable[[str], int] = parse_time
        self.cursor_name = "cursor"
        self.seen: list[str] = []
        self.authorisations: list[str | None] = []
        self.logins = 0
        self.refreshes = 0
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def configuration(self, **others: Any) -> dict[str, Any]:
        """Return ``[sources.NAME]`` for it."""
        return {
            "url": self.url,
            "requests_per_second": 1000,
            "burst": 1000,
            "settle": "100ms",
            "page_bars": 200,
            "instrument_key": "{base}-{quote}",
            "candles": {
                "items": "data.candles",
                "time": "t",
                "open": "o",
                "high": "h",
                "low": "l",
                "close": "c",
                "volume": "v",
            },
            **others,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that are killed while they listen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler_of(server: CandleServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: CandleServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.owner.seen.append(self.path)
        if not self._let_in():
            return
        fault = self.owner.faults.pop(0) if self.owner.faults else ""
        key, _, timeframe = parts.path.removeprefix(CANDLES).partition("/")
        bars = self.owner.bars.get((unquote(key), timeframe))
        if bars is None or fault == "404":
            self._answer(404, {"error": "no such candles"})
        elif fault:
            self._misbehave(fault, bars, parse_qs(parts.query))
        else:
            self._answer(200, self._candles(bars, parse_qs(parts.query)))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.owner.seen.append(self.path)
        if self.path == LOGIN:
            if body != dict(zip(self.owner.login_fields, (USER, PASSWORD), strict=True)):
                self._answer(401, {"error": "who are you?"})
                return
            self.owner.logins += 1
            self._new_token(f"token-{self.owner.logins}")
        elif self.path.startswith(REFRESH):
            if self.path != REFRESH or body != {"refresh_token": self.owner.refresh_token}:
                self._answer(401, {"error": "too old"})
                return
            self.owner.refreshes += 1
            self._new_token(f"fresh-{self.owner.refreshes}")
        elif self._let_in():
            self._answer(200, {"instruments": self.owner.picked, "asked": body})

    def _new_token(self, token: str) -> None:
        self.owner.token, self.owner.refresh_token = token, f"again-{token}"
        self._answer(200, {"access_token": token, "refresh_token": self.owner.refresh_token})

    def _let_in(self) -> bool:
        brought = self.headers.get("authorization") or self.headers.get("x-api-key")
        self.owner.authorisations.append(brought)
        if self.owner.token is None or brought in (f"Bearer {self.owner.token}", self.owner.token):
            return True
        self._answer(401, {"error": "token expired"})
        return False

    def _misbehave(self, fault: str, bars: Bars, query: dict[str, list[str]]) -> None:
        whole = self._candles(bars, query)
        if fault == "401":  # the token ends in the middle of everything
            self.owner.token = f"{self.owner.token}-ended"
            self._answer(401, {"error": "token expired"})
        elif fault == "403":
            self._answer(403, {"error": "not for you"})
        elif fault == "429":
            self._answer(429, {"error": "slow down"}, {"Retry-After": "1"})
        elif fault == "500":
            self._answer(500, {"error": "oops"})
        elif fault == "truncated":
            data = json.dumps(whole).encode()
            self._send(200, data[: len(data) // 2], {"Content-Length": str(len(data))})
            self.close_connection = True
        elif fault == "garbage":
            self._send(200, b'{"data": {"candles": [{"t": ', {})
        elif fault == "html":
            self._send(200, b"<html>Welcome to the hotel network</html>", {"Content-Type": "text/html"})
        elif fault == "deep":
            self._send(200, b"[" * 200_000, {})
        elif fault == "nowhere":
            self._answer(302, {}, {"Location": "http://[broken"})
        elif fault == "for ever":
            self._answer(429, {"error": "slow down"}, {"Retry-After": "inf"})
        elif fault == "slow":
            self.owner.released.wait(120)
            self.close_connection = True
        elif fault == "away":
            self._answer(302, {}, {"Location": "http://localhost:1/steal"})
        elif fault == "here":
            self._answer(307, {}, {"Location": self.path})
        else:
            assert fault == "shuffled", fault
            candles = whole["data"]["candles"]
            doubled = [*candles, *({**one, "v": -1} for one in candles[:20])][::-1]  # the last one of each counts
            rest = doubled[: len(doubled) - len(candles)]
            random.Random(1).shuffle(rest)
            whole["data"]["candles"] = [*rest, *random.Random(2).sample(candles, len(candles))]
            self._answer(200, whole)

    def _candles(self, bars: Bars, query: dict[str, list[str]]) -> dict[str, Any]:
        if self.owner.raw is not None:
            return {"data": {"candles": self.owner.raw}}
        first, last = (
            int(np.searchsorted(bars.open_time_ns, self.owner.time_of(query[name][0]))) if name in query else default
            for name, default in (("from", 0), ("to", len(bars)))
        )
        first = max(first, int(query.get(self.owner.cursor_name, ["0"])[0]))
        stop = last if self.owner.page is None else min(last, first + self.owner.page)
        found = [_candle(bars.row(index)) for index in range(first, stop)]
        return {"data": {"candles": found}, "next": stop if stop < last else None}

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), headers or {})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _candle(bar: Bar) -> dict[str, Any]:
    prices = {"o": bar.open, "h": str(bar.high), "l": bar.low, "c": str(bar.close)}  # a service that likes both
    return {"t": iso_from_ns(bar.open_time_ns), **prices, "v": bar.volume}
