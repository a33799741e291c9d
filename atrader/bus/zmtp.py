"""What a subscriber and a publisher of ZeroMQ say to each other, as bytes: ZMTP 3.0, without security. Pure.

The protocol is public (https://rfc.zeromq.org/spec/23/). Only what a subscriber on the same host needs is here.
"""

from __future__ import annotations

from typing import Final

from atrader.errors import WireError

GREETING_BYTES: Final = 64
_SIGNATURE: Final = b"\xff" + bytes(8) + b"\x7f"
_MECHANISM: Final = b"NULL".ljust(20, b"\0")
GREETING: Final = _SIGNATURE + b"\x03\x00" + _MECHANISM + b"\0" + bytes(31)

_MORE: Final = 1
_LONG: Final = 2
_COMMAND: Final = 4
_KNOWN: Final = _MORE | _LONG | _COMMAND


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return a frame as it goes over the wire."""
    if len(body) > 255:
        return bytes((flags | _LONG,)) + len(body).to_bytes(8, "big") + body
    return bytes((flags, len(body))) + body


def ready() -> bytes:
    """Return the command by which a subscriber says what it is."""
    properties = ((b"Socket-Type", b"SUB"), (b"Identity", b""))
    body = b"\x05READY" + b"".join(_short(name) + len(value).to_bytes(4, "big") + value for name, value in properties)
    return frame(body, _COMMAND)


def subscription(prefix: bytes, *, wanted: bool) -> bytes:
    """Return the message that begins or ends a subscription."""
    return frame((b"\1" if wanted else b"\0") + prefix)


def answer_to(command: bytes) -> bytes:
    """Return what a command of the publisher is answered with; nothing for most.

    Raises
    ------
    WireError
        When it says that it will not serve us.
    """
    if command.startswith(b"\x04PING"):
        return frame(b"\x04PONG" + command[7:], _COMMAND)  # after the name: two bytes of a time, and what to return
    if command.startswith(b"\x05ERROR"):
        raise WireError(f"the publisher refuses: {command[7:]!r:.100}")
    return b""


def check_greeting(greeting: bytes) -> None:
    """Check the first 64 bytes of a publisher.

    Raises
    ------
    WireError
        When it speaks something else.
    """
    if greeting[:1] + greeting[9:10] != b"\xff\x7f" or greeting[10] < 3 or greeting[12:32] != _MECHANISM:
        raise WireError(f"no publisher: it says {greeting[:32]!r}")


class Decoder:
    """Takes bytes as they come and gives whole messages.

    Parameters
    ----------
    max_bytes : int
        Longest frame that is taken.

    Attributes
    ----------
    commands : list of bytes
        Commands that came, for the owner to take away.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._need = 0  # bytes without which what is left is no message
        self.commands: list[bytes] = []

    @property
    def is_between(self) -> bool:
        """Whether the next byte begins a message."""
        return not self._rest

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Return the messages, each a list of frames, that are whole with these bytes.

        Raises
        ------
        WireError
            When they are no frames, or one is too long.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        messages: list[list[bytes]] = []
        frames: list[bytes] = []
        at = done = 0
        end = len(data)
        self._need = 2
        while end - at >= 2:
            flags, size, begin = data[at], data[at + 1], at + 2
            if flags > _MORE:
                if flags & _LONG:
                    begin = at + 9
                    size = int.from_bytes(data[at + 1 : begin], "big") if begin <= end else 0
                if flags > _KNOWN or size > self._max_bytes:
                    raise WireError(f"a frame with flags {flags} and {size} bytes")
            stop = begin + size
            if stop > end:
                self._need = stop - done
                break
            at = stop
            if flags & _COMMAND:
                self.commands.append(data[begin:stop])
                if frames:
                    raise WireError("a command within a message")
            else:
                frames.append(data[begin:stop])
                if flags & _MORE:
                    continue
                messages.append(frames)
                frames = []
            done = at
        if done < end:
            self._rest += data[done:]
        return messages


def _short(text: bytes) -> bytes:
    return bytes((len(text),)) + text
