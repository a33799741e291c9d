"""The stream side: opens the two streams, and refuses everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oanda_simulator.http_server import Connection, Request, head
from tests.oanda_simulator.reply import Reply, error
from tests.oanda_simulator.rest_server import UNKNOWN, html, wants_unix, wrong_account
from tests.oanda_simulator.routing import stream_route
from tests.oanda_simulator.streams import LineStream, PriceSampler, follow_transactions
from tests.oanda_simulator.values import csv_of, dumps

if TYPE_CHECKING:
    from tests.oanda_simulator.account import Account
    from tests.oanda_simulator.simulator import OandaSimulator


class StreamServer:
    """Serves one stream per connection."""

    def __init__(self, simulator: OandaSimulator) -> None:
        self._simulator = simulator
        self.open: list[LineStream] = []

    async def serve(self, connection: Connection) -> None:
        """Serve a connection: one request, one stream, then close."""
        welcome = self._simulator.connection_rate.allows()
        request = await connection.read(self._simulator.limits.idle_s)
        if request is None:
            return
        refused = self._refusal(request, welcome)
        if refused is not None:
            body = refused.body if isinstance(refused.body, bytes) else dumps(refused.body)
            headers = {
                "Content-Type": refused.content_type,
                "Content-Length": str(len(body)),
                "RequestID": self._simulator.new_request_id(),
                "Connection": "close",
            }
            connection.write(head(refused.status, headers) + body)
            await connection.close()
            return
        parts = stream_route(request.path) or {}
        account = self._simulator.venue.accounts[parts["account"]]
        await self._stream(connection, request, account, parts["kind"])

    def _refusal(self, request: Request, welcome: bool) -> Reply | None:
        simulator = self._simulator
        simulator.requests.append((request.method, request.path))
        if not welcome:
            return error(429, "Too many new connections per second")
        if simulator.faults.maintenance:
            return html(503)
        fault = simulator.faults.draw(request.method, request.path)
        if fault is not None:
            return html(503)
        if refused := simulator.gate(request):
            return refused
        parts = stream_route(request.path)
        if parts is None:
            return error(404, "The requested resource does not exist")
        if request.method != "GET":
            return error(405, "Method not allowed")
        if parts["account"] not in simulator.venue.accounts:
            return wrong_account(parts["account"])
        if parts["kind"] == "pricing" and (problem := self._wrong_instruments(request)):
            return problem
        if len(self.open) >= simulator.limits.streams:
            return error(429, "Too many open streams")
        return None

    def _wrong_instruments(self, request: Request) -> Reply | None:
        names = set(csv_of(request.query.get("instruments", "")))
        if not names or names - self._simulator.venue.specs.keys():
            return error(400, "Invalid value specified for 'instruments'")
        return None

    async def _stream(self, connection: Connection, request: Request, account: Account, kind: str) -> None:
        simulator = self._simulator
        headers = {
            "Content-Type": "application/octet-stream",
            "Transfer-Encoding": "chunked",
            "RequestID": simulator.new_request_id(),
            "Connection": "close",
        }
        connection.write(head(200, headers))
        extra = UNKNOWN if simulator.faults.unknown_fields else {}
        stream = LineStream(kind, account, connection, wants_unix(request), extra, simulator.faults.draw_line)
        self.open.append(stream)
        stream.on_end(lambda: self.open.remove(stream))
        if kind == "transactions":
            self._begin_transactions(stream, account)
        else:
            self._begin_prices(stream, request)
        stream.start_heartbeats()
        await stream.until_gone()

    def _begin_transactions(self, stream: LineStream, account: Account) -> None:
        for fault in self._simulator.faults.take_stream("transactions"):
            newest = account.log.get(account.log.last_id)
            if fault.kind == "duplicate" and newest:
                stream.send(newest)
            else:
                stream.inject(fault)
        follow_transactions(stream)

    def _begin_prices(self, stream: LineStream, request: Request) -> None:
        simulator = self._simulator
        names = list(dict.fromkeys(csv_of(request.query["instruments"])))
        homes = request.query.get("includeHomeConversions", "false").lower() == "true"
        sampler = PriceSampler(stream, simulator.venue.market, names, simulator.price_window_s, homes)
        if request.query.get("snapshot", "true").lower() == "true":
            sampler.snapshot(simulator.venue.market, names)
        for fault in simulator.faults.take_stream("pricing"):
            stream.inject(fault)
