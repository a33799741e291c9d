"""The REST side: the gate (token, limits, account), faults around the answer, and the bytes of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from tests.oanda_simulator.calls import Call
from tests.oanda_simulator.faults import AFTER, Fault
from tests.oanda_simulator.http_server import Connection, Request, head
from tests.oanda_simulator.reply import Reply, error
from tests.oanda_simulator.routing import route
from tests.oanda_simulator.values import NS_PER_S, Fields, Malformed, dumps

if TYPE_CHECKING:
    from tests.oanda_simulator.simulator import OandaSimulator

_ACCOUNT_ID: Final = re.compile(r"\d+-\d+-\d+-\d+", re.ASCII)
UNKNOWN: Final[Fields] = {"futureField": {"kind": "NOT_INVENTED_YET", "values": [1, "2", None]}, "futureFlag": True}
_HTML: Final = b"<html><head><title>Error</title></head><body><h1>The service is unavailable</h1></body></html>"


def html(status: int) -> Reply:
    """Return what a machine before the venue answers when the venue does not."""
    return Reply(status, _HTML, content_type="text/html")


class RestServer:
    """Serves one connection after another request by request."""

    def __init__(self, simulator: OandaSimulator) -> None:
        self._simulator = simulator

    async def serve(self, connection: Connection) -> None:
        """Answer a connection's requests until either side closes it."""
        welcome = self._simulator.connection_rate.allows()
        while request := await connection.read(self._simulator.limits.idle_s):
            if not welcome:
                self._send(connection, request, "0", error(429, "Too many new connections per second"), close=True)
                break
            if not await self._answer(connection, request):
                break
        await connection.close()

    async def _answer(self, connection: Connection, request: Request) -> bool:
        """Answer one request. Returns whether the connection stays."""
        simulator = self._simulator
        request_id = simulator.new_request_id()
        simulator.requests.append((request.method, request.path))
        if not simulator.request_rate.allows():
            self._send(connection, request, request_id, error(429, "Rate limit exceeded"))
            return True
        if simulator.faults.maintenance:
            self._send(connection, request, request_id, html(503))
            return True
        fault = simulator.faults.draw(request.method, request.path)
        if fault is None:
            self._send(connection, request, request_id, self.reply(request, request_id))
            return not _wants_close(request)
        return await self._go_wrong(connection, request, request_id, fault)

    async def _go_wrong(self, connection: Connection, request: Request, request_id: str, fault: Fault) -> bool:
        kind = fault.kind
        if kind == "429":
            self._send(connection, request, request_id, error(429, "Rate limit exceeded"))
            return True
        if kind == "late-accept":
            # Shielded: the client may go away, the order is still on its way.
            await asyncio.shield(self._simulator.spawn(asyncio.sleep(fault.delay_s)))
        reply = self.reply(request, request_id) if kind in AFTER else html(503)
        if kind in {"502", "503", "504"} or kind.startswith("accept-then-50"):
            self._send(connection, request, request_id, html(int(kind[-3:])))
            return True
        if "hang" in kind:
            await connection.gone()
        elif "reset" in kind:
            connection.reset()
        elif kind in {"truncated", "broken-json"}:
            self._send_part(connection, request, request_id, reply, honest=kind == "broken-json")
            return kind == "broken-json"
        elif kind == "empty-json":
            self._send(connection, request, request_id, replace(reply, body={}))
            return True
        elif kind == "slow-body":
            await self._send_slowly(connection, request, request_id, reply, fault.delay_s)
            return True
        elif kind in {"slow", "late-accept"}:
            await asyncio.sleep(fault.delay_s if kind == "slow" else 0)
            self._send(connection, request, request_id, reply)
            return True
        return False

    def reply(self, request: Request, request_id: str) -> Reply:
        """Return what the venue answers, with every effect the call has."""
        refused = self._simulator.gate(request)
        if refused:
            return refused
        found = route(request.method, request.path)
        if found is None:
            return error(404, "The requested resource does not exist")
        if found.handler is None:
            return error(405, "Method not allowed")
        simulator = self._simulator
        account = simulator.venue.accounts.get(found.parts.get("account", ""))
        if "account" in found.parts and account is None:
            return wrong_account(found.parts["account"])
        call = Call(
            simulator.venue,
            simulator.faults,
            simulator.rest_url,
            found.parts,
            request.query,
            request.body,
            wants_unix(request),
            account,
        )
        try:
            if account is None:
                return found.handler(call)
            with account.log.of_request(simulator.echoed_id(request, request_id)):
                return found.handler(call)
        except Malformed as problem:
            return error(400, str(problem))

    def _bytes(self, request: Request, request_id: str, reply: Reply, close: bool) -> tuple[bytes, bytes]:
        extra = UNKNOWN if self._simulator.faults.unknown_fields else {}
        body = (
            reply.body if isinstance(reply.body, bytes) else dumps(with_unknown(reply.body, extra), wants_unix(request))
        )
        headers = {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(body)),
            "Date": formatdate(self._simulator.clock.now() / NS_PER_S, usegmt=True),
            "RequestID": request_id,
            **reply.headers,
            "Connection": "close" if close or _wants_close(request) else "keep-alive",
        }
        return head(reply.status, headers), body

    def _send(
        self, connection: Connection, request: Request, request_id: str, reply: Reply, close: bool = False
    ) -> None:
        connection.write(b"".join(self._bytes(request, request_id, reply, close)))

    def _send_part(self, connection: Connection, request: Request, request_id: str, reply: Reply, honest: bool) -> None:
        """Send half of a body; ``honest``: with the length of the half."""
        top, body = self._bytes(request, request_id, reply, close=False)
        half = body[: len(body) // 2]
        if honest:
            short = Reply(reply.status, half, reply.headers)
            top, _ = self._bytes(request, request_id, short, close=False)
        connection.write(top + half)

    async def _send_slowly(
        self, connection: Connection, request: Request, request_id: str, reply: Reply, over_s: float
    ) -> None:
        top, body = self._bytes(request, request_id, reply, close=False)
        connection.write(top)
        step = max(1, len(body) // 20)
        for start in range(0, len(body), step):
            connection.write(body[start : start + step])
            await asyncio.sleep(over_s / 20)


def with_unknown(value: object, extra: Fields) -> Fields:
    """Return a body in which every object carries additional fields."""

    def added(item: object) -> object:
        if isinstance(item, dict):
            return {**{key: added(inner) for key, inner in item.items()}, **extra}
        if isinstance(item, list | tuple):
            return [added(inner) for inner in item]
        return item

    found = added(value) if extra else value
    return found if isinstance(found, dict) else {}


def wants_unix(request: Request) -> bool:
    """Return whether times are asked for as seconds."""
    return request.headers.get("accept-datetime-format", "RFC3339").upper() == "UNIX"


def _wants_close(request: Request) -> bool:
    return request.headers.get("connection", "").lower() == "close"


def wrong_account(text: str) -> Reply:
    """Answer for an account that is not the token's."""
    if not _ACCOUNT_ID.fullmatch(text):
        return error(400, "Invalid value specified for 'accountID'")
    return error(403, "The provided request was forbidden.")
