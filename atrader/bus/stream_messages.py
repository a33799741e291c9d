"""What a stream client hands out, and how a topic and a message look in bytes.

A topic is a path of words, ``bar|EUR/USD|1m``. On the wire each word ends with ``|``, so a subscription to
``bar|EUR/USD|1m`` never brings ``bar|EUR/USD|1mo``, and one to ``bar|EUR/USD`` brings all its timeframes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgpack

from atrader.errors import WireError
from atrader.wire import PROTOCOL_VERSION, find_stream_schema

END: Final = "|"
HEARTBEAT_TOPIC: Final = b"\0heartbeat"
_MAX_SEQ: Final = 2**63


class Message(NamedTuple):
    """One message of a stream."""

    topic: str
    kind: str
    seq: int  # number within the topic, from 1
    values: Any  # the named tuple of the schema
    epoch: int  # which life of the publisher


class Gap(NamedTuple):
    """Messages of a topic that were missed: numbers ``expected`` to ``got - 1``.

    After ``epoch_changed`` the publisher is another one and counts from 1 again: take a new snapshot.
    """

    topic: str
    expected: int
    got: int  # number of the next message there is
    epoch_changed: bool


def topic_bytes(topic: str) -> bytes:
    """Return the frame of a topic, each word ended; the empty topic is the prefix of all.

    Raises
    ------
    WireError
        When the topic holds a zero byte.
    """
    if "\0" in topic:
        raise WireError(f"topic {topic!r}: a zero byte is reserved")
    return (topic if not topic or topic.endswith(END) else topic + END).encode()


def read_topic(frame: bytes) -> str:
    """Return the topic of a frame.

    Raises
    ------
    WireError
        When it is no text.
    """
    try:
        return frame.decode().removesuffix(END)
    except UnicodeDecodeError as error:
        raise WireError(f"topic {frame!r:.60}: {error.reason}") from error


def read_body(topic: str, body: bytes) -> Message:
    """Read the body of a stream message, from the stream or from a replay.

    Raises
    ------
    WireError
        When it is no message of a kind and version known here.
    """
    try:
        kind, version, epoch, seq, values = msgpack.unpackb(body)
    except (ValueError, TypeError, OverflowError) as error:
        raise WireError(f"stream message on {topic!r}: {error}") from error
    if type(epoch) is not int or type(seq) is not int or not 0 < seq < _MAX_SEQ:
        raise WireError(f"stream message on {topic!r}: expected an epoch and a number")
    return Message(topic, kind, seq, find_stream_schema(kind, version).unpack(values), epoch)


def heartbeat_body(epoch: int, last: dict[str, int]) -> bytes:
    """Make the body of a heartbeat: the last number of each topic."""
    packed: bytes = msgpack.packb([PROTOCOL_VERSION, epoch, last])
    return packed


def read_heartbeat(body: bytes) -> tuple[int, dict[str, int]]:
    """Read epoch and last numbers of a heartbeat.

    Raises
    ------
    WireError
        When it is none.
    """
    try:
        version, epoch, last = msgpack.unpackb(body)
    except (ValueError, TypeError, OverflowError) as error:
        raise WireError(f"heartbeat: {error}") from error
    good = version == PROTOCOL_VERSION and type(epoch) is int and isinstance(last, dict)
    if not good or not all(type(topic) is str and type(seq) is int for topic, seq in last.items()):
        raise WireError("heartbeat: expected an epoch and the last number of each topic")
    return epoch, last


def latest_by_topic(messages: Iterable[Message | Gap]) -> dict[str, Message]:
    """Keep the newest message of each topic; for prices, where only the last counts. Gaps are left out."""
    return {item.topic: item for item in messages if isinstance(item, Message)}
