"""Answers of HTTP/1.1, read out of the bytes of a connection as they come. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""More than any answer has; what is longer is refused, so that memory stays bounded."""

_MAX_LINE_BYTES: Final = 64 * 1024
_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_BODILESS: Final = frozenset({204, 304})
_ANY_FORMAT: Final = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says


class BadAnswer(Exception):
    """Raised when bytes are no answer of HTTP/1.1, or one that is longer than any should be."""


class AnswerReader:
    """Reads one answer.

    Parameters
    ----------
    is_tunnel : bool, default False
        Whether it answers ``CONNECT``: a success has no body then, the bytes behind it belong to somebody else.

    Attributes
    ----------
    status : int
        0 until the head is whole.
    headers : dict of str to str
        Names in lower case; of a name that comes twice, the values with a comma in between.
    is_done : bool
        Whether all of it was read.
    """

    def __init__(self, *, is_tunnel: bool = False) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_done = False
        self._is_tunnel = is_tunnel
        self._buffer = bytearray()
        self._left = 0
        self._persists = False
        self._step: Callable[[list[bytes]], bool] = self._head

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; return those of the body that are in them.

        Raises
        ------
        BadAnswer
            Nothing more can be read from this connection.
        """
        self._buffer += data
        body: list[bytes] = []
        while not self.is_done and self._step(body):
            pass
        return body[0] if len(body) == 1 else b"".join(body)

    def end(self) -> bool:
        """Note that nothing more comes; tell whether the answer is whole."""
        if self._step == self._until_end:
            self.is_done = True
        return self.is_done

    @property
    def may_follow(self) -> bool:
        """Whether the connection can carry another request: all was read, nothing is left over, it stays open."""
        return self.is_done and self._persists and not self._buffer

    def _head(self, body: list[bytes]) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise BadAnswer("a head without an end")
            return False
        line, *fields = self._taken(end + 4).decode("latin-1").rstrip("\r\n").split("\r\n")
        version, _, rest = line.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (rest[:3].isdecimal() and rest[3:4].strip() == ""):
            raise BadAnswer(f"no answer of HTTP/1.1: {line[:40]!r}")
        status = int(rest[:3])
        if status < 200 and status != 101:  # interim: the answer itself comes next
            return True
        headers: dict[str, str] = {}
        for field in fields:
            name, colon, value = field.partition(":")
            if not colon:
                raise BadAnswer(f"no header: {field[:40]!r}")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        self._persists = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
        self._begin_body(status)
        self.status = status
        return True

    def _begin_body(self, status: int) -> None:
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if status in _BODILESS or (self._is_tunnel and status == 200):
            self.is_done = True
        elif coding is not None:
            if coding.lower() != "chunked":
                raise BadAnswer(f"transfer encoding {coding[:40]!r}")
            self._step = self._chunk_size
        elif length is not None:
            if not (length.isascii() and length.isdecimal()):
                raise BadAnswer(f"content length {length[:40]!r}")
            self._left = int(length)
            self.is_done = not self._left
            self._step = self._counted
        else:
            self._persists = False
            self._step = self._until_end

    def _counted(self, body: list[bytes]) -> bool:
        self.is_done = self._take_left(body)
        return False

    def _until_end(self, body: list[bytes]) -> bool:
        body.append(self._taken(len(self._buffer)))
        return False

    def _chunk_size(self, body: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        digits = line.partition(b";")[0].strip()
        try:
            self._left = int(digits, 16)
        except ValueError:
            raise BadAnswer(f"a chunk of {bytes(line[:40])!r} bytes") from None
        if self._left < 0:
            raise BadAnswer(f"a chunk of {self._left} bytes")
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self, body: list[bytes]) -> bool:
        if not self._take_left(body):
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self, body: list[bytes]) -> bool:
        if len(self._buffer) < len(_END):
            return False
        if self._taken(len(_END)) != _END:
            raise BadAnswer("a chunk that is longer than it said")
        self._step = self._chunk_size
        return True

    def _trailer(self, body: list[bytes]) -> bool:
        line = self._line()
        self.is_done = line == b""
        return line is not None

    def _take_left(self, body: list[bytes]) -> bool:
        """Take what is there of the bytes that were announced; tell whether these were all."""
        if part := self._taken(self._left):
            self._left -= len(part)
            body.append(part)
        return not self._left

    def _line(self) -> bytes | None:
        end = self._buffer.find(_END)
        if end < 0:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise BadAnswer("a line without an end")
            return None
        return self._taken(end + 2)[:end]

    def _taken(self, size: int) -> bytes:
        part = bytes(self._buffer[:size])
        del self._buffer[:size]
        return part


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was compressed.

    Raises
    ------
    BadAnswer
        When it is not compressed as it says, or is too long.
    """
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() not in ("gzip", "deflate"):
        raise BadAnswer(f"content encoding {encoding[:40]!r}")
    inflating = zlib.decompressobj(_ANY_FORMAT)
    try:
        data = inflating.decompress(body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise BadAnswer(f"not {encoding}: {error}") from error
    if not inflating.eof:
        raise BadAnswer(f"{encoding}: cut short, or more than {MAX_BODY_BYTES >> 20} MB")
    return data
