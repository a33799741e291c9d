"""Answers of HTTP/1.1, read out of the bytes of a connection as they come. Pure."""

from __future__ import annotations

import zlib
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""More than any answer has; what is longer is refused, so that memory stays bounded."""

_MAX_HEAD_BYTES: Final = 64 * 1024
_ANY_FORMAT: Final = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says


class BadAnswer(Exception):
    """Raised when bytes are no answer of HTTP/1.1, or one that is longer than any should be."""


class AnswerReader:
    """Reads one answer; the ``on_`` methods are for the parser.

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
        self._parser = HttpResponseParser(self)
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._persists = False
        self._has_more = False  # bytes behind its end

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; return those of the body that are in them.

        Raises
        ------
        BadAnswer
            Nothing more can be read from this connection.
        """
        if not self.status:
            self._head_bytes += len(data)
        if self.is_done:
            self._has_more |= bool(data)
        else:
            self._parse(data)
        if not self.status and self._head_bytes > _MAX_HEAD_BYTES:
            raise BadAnswer("a head without an end")
        body, self._body = self._body, []
        return body[0] if len(body) == 1 else b"".join(body)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.is_done:
                raise BadAnswer(f"no answer of HTTP/1.1: {error.__context__ or error}: {data[:40]!r}") from error
            self._has_more = True

    def end(self) -> bool:
        """Note that nothing more comes; tell whether the answer is whole."""
        is_measured = "content-length" in self.headers or "transfer-encoding" in self.headers
        self.is_done |= bool(self.status) and not is_measured
        return self.is_done

    @property
    def may_follow(self) -> bool:
        """Whether the connection can carry another request: all was read, nothing is left over, it stays open."""
        return self.is_done and self._persists and not self._has_more

    def on_message_begin(self) -> None:
        """Begin: also with what follows an interim answer, or the answer itself."""
        self._has_more = self.is_done

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; not one behind the body."""
        if not self.status:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Note what the head says; an error ends the parser."""
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        coding = self.headers.get("transfer-encoding", "chunked")
        if version not in ("1.1", "1.0") or coding.lower() != "chunked":
            raise BadAnswer(f"version {version}, transfer encoding {coding[:40]!r}")
        if status >= 200 and not self.status:
            self.status = status
            self._persists = version == "1.1" and self._parser.should_keep_alive()
            self.is_done = self._is_tunnel and status == 200

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        if self.is_done:
            self._has_more = True
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """End, or forget an interim answer: the answer itself comes next."""
        if self.status:
            self.is_done = True
        else:
            self.headers = {}


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
