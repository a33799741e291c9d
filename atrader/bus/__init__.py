"""The bus: calls, streams and beats between processes. The only place that knows ZeroMQ.

Its parts are imported when they are asked for: a command that makes one call does not wait for the half that is written
for asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from atrader.bus.beat import Beat, BeatSender, BeatServer
    from atrader.bus.call_client import CallClient
    from atrader.bus.call_server import Caller, CallServer, Handler, Reply
    from atrader.bus.curve import CurveKeys
    from atrader.bus.endpoints import Endpoint
    from atrader.bus.notices import OnError
    from atrader.bus.poller import Poller, Source
    from atrader.bus.sockets import SocketOptions, close_context
    from atrader.bus.stream_client import AsyncStreamClient, StreamClient
    from atrader.bus.stream_messages import Gap, Message, latest_by_topic, read_body
    from atrader.bus.stream_server import StreamServer
    from atrader.bus.sync_call_client import SyncCallClient

__all__ = [
    "AsyncStreamClient",
    "Beat",
    "BeatSender",
    "BeatServer",
    "CallClient",
    "CallServer",
    "Caller",
    "CurveKeys",
    "Endpoint",
    "Gap",
    "Handler",
    "Message",
    "OnError",
    "Poller",
    "Reply",
    "SocketOptions",
    "Source",
    "StreamClient",
    "StreamServer",
    "SyncCallClient",
    "close_context",
    "latest_by_topic",
    "read_body",
]

_PLACES: Final = {
    "AsyncStreamClient": "stream_client",
    "Beat": "beat",
    "BeatSender": "beat",
    "BeatServer": "beat",
    "CallClient": "call_client",
    "CallServer": "call_server",
    "Caller": "call_server",
    "CurveKeys": "curve",
    "Endpoint": "endpoints",
    "Gap": "stream_messages",
    "Handler": "call_server",
    "Message": "stream_messages",
    "OnError": "notices",
    "Poller": "poller",
    "Reply": "call_server",
    "SocketOptions": "sockets",
    "Source": "poller",
    "StreamClient": "stream_client",
    "StreamServer": "stream_server",
    "SyncCallClient": "sync_call_client",
    "close_context": "sockets",
    "latest_by_topic": "stream_messages",
    "read_body": "stream_messages",
}
"""In which module each of them is."""


def __getattr__(name: str) -> Any:
    """Import what is asked for; it is an attribute from then on."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found


def load() -> None:
    """Import all of it, for whoever is going to be forked."""
    for name in __all__:
        __getattr__(name)
