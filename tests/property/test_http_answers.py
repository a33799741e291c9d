"""An answer of HTTP is the same however the network cuts it, and no bytes end in anything but a refusal."""

import gzip
import zlib

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_api.oanda.http_answer import AnswerReader, BadAnswer, unpacked

_BODY = st.binary(max_size=60)
_SIZES = st.lists(st.integers(1, 9), max_size=40)
_SCRAPS = st.sampled_from(
    [b"HTTP/1.1 ", b"200 OK", b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"5", b"-1", b"Transfer-Encoding: chunked",
     b"0\r\n\r\n", b"ffffffffffffffffff\r\n", b":", b"\xff", b"a" * 70_000, b"HTTP/1.1 100 Continue\r\n\r\n"]
)  # fmt: skip


def counted(body: bytes) -> bytes:
    return b"HTTP/1.1 201 Created\r\nRequestID: 42\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 201 Created\r\nRequestID: 42\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%X;x=1\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
    return head + chunks + b"0\r\nT: 1\r\n\r\n"


def until_end(body: bytes) -> bytes:
    return b"HTTP/1.1 201 Created\r\nRequestID: 42\r\n\r\n" + body


def read(reader: AnswerReader, data: bytes, sizes: list[int]) -> bytes:
    """Feed the data in pieces of these sizes, then the rest."""
    body = b""
    for size in sizes:
        piece, data = data[:size], data[size:]
        body += reader.feed(piece)
    return body + reader.feed(data)


@given(st.sampled_from([counted, chunked, until_end]), _BODY, _SIZES, st.booleans())
def test_an_answer_is_the_same_however_it_is_cut(form: object, body: bytes, sizes: list[int], interim: bool) -> None:
    assert callable(form)
    reader = AnswerReader()
    data = (b"HTTP/1.1 100 Continue\r\n\r\n" if interim else b"") + form(body)
    assert read(reader, data, sizes) == body
    assert (reader.status, reader.headers["requestid"]) == (201, "42")
    assert reader.is_done == (form is not until_end)
    assert reader.may_follow == (form is not until_end)
    assert reader.end()


def read_by_h11(data: bytes, sizes: list[int]) -> tuple[int, bytes, bool]:
    """Return status, body and whether another request may follow, as another reader of HTTP/1.1 sees them."""
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    peer.send(h11.EndOfMessage())
    status, body, cuts, ended = 0, b"", list(sizes), False
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            size = cuts.pop(0) if cuts else len(data)
            ended = not data
            peer.receive_data(data[:size])  # nothing: that nothing more comes
            data = data[size:]
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, body, peer.their_state is h11.DONE and not ended


@given(st.sampled_from([counted, chunked, until_end]), _BODY, _SIZES, st.booleans())
def test_an_answer_is_what_another_reader_of_http_says(
    form: object, body: bytes, sizes: list[int], stays: bool
) -> None:
    assert callable(form)
    data = form(body)
    if not stays:
        data = data.replace(b"RequestID: 42", b"RequestID: 42\r\nConnection: close")
    reader = AnswerReader()
    ours = read(reader, data, sizes)
    reader.end()
    assert (reader.status, ours, reader.may_follow) == read_by_h11(data, sizes)


@given(st.sampled_from([counted, chunked]), st.binary(min_size=1, max_size=60), st.data())
def test_an_answer_that_is_cut_short_is_never_whole(form: object, body: bytes, draw: st.DataObject) -> None:
    assert callable(form)
    data = form(body)
    reader = AnswerReader()
    reader.feed(data[: draw.draw(st.integers(0, len(data) - 1))])
    assert not reader.end()
    assert not reader.may_follow


@given(st.lists(_SCRAPS | st.binary(max_size=8), max_size=12))
def test_whatever_comes_is_read_or_refused(scraps: list[bytes]) -> None:
    reader = AnswerReader()
    try:
        for scrap in scraps:
            reader.feed(scrap)
    except BadAnswer:
        assert not reader.is_done


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        AnswerReader().feed(data)


def test_a_connection_goes_on_only_after_all_of_an_answer_and_nothing_else() -> None:
    for data, follows in (
        (counted(b"{}"), True),
        (counted(b"{}") + b"!", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    ):
        reader = AnswerReader()
        reader.feed(data)
        assert (reader.is_done, reader.may_follow) == (True, follows)


def test_a_body_is_unpacked_whole_or_refused() -> None:
    body = b'{"candles":[]}' * 50
    assert unpacked(gzip.compress(body), "gzip") == unpacked(zlib.compress(body), "deflate") == unpacked(body, "")
    for data, encoding in ((gzip.compress(body)[:-1], "gzip"), (b"no gzip", "gzip"), (body, "br")):
        with pytest.raises(BadAnswer):
            unpacked(data, encoding)
