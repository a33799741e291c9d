"""The bus: calls, streams and beats between processes. The only place that knows ZeroMQ."""

from atrader.bus.beat import Beat, BeatSender, BeatServer
from atrader.bus.call_client import CallClient, SyncCallClient
from atrader.bus.call_server import Caller, CallServer, Handler, Reply
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.notices import OnError
from atrader.bus.poller import Poller, Source
from atrader.bus.sockets import SocketOptions, close_context
from atrader.bus.stream_client import AsyncStreamClient, StreamClient
from atrader.bus.stream_messages import Gap, Message, latest_by_topic, read_body
from atrader.bus.stream_server import StreamServer

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
