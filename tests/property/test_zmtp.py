"""What a publisher of ZeroMQ sends is read the same however it is cut into pieces, and rubbish is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from atrader.bus.zmtp import GREETING, Decoder, answer_to, check_greeting, frame
from atrader.errors import WireError

LIMIT = 2000
bodies = some.one_of(some.binary(max_size=40), some.integers(200, LIMIT).map(bytes))
messages = some.lists(some.lists(bodies, min_size=1, max_size=4), max_size=8)


def sent(message: list[bytes]) -> bytes:
    return b"".join(frame(body, flags=1) for body in message[:-1]) + frame(message[-1])


@given(messages, some.lists(some.integers(1, 300), min_size=1), some.booleans())
def test_messages_are_whole_however_they_are_cut(found: list[list[bytes]], sizes: list[int], commands: bool) -> None:
    command = frame(b"\x04PING\0\1context", flags=4) if commands else b""
    data = b"".join(command + sent(message) for message in found)
    decoder, got, at, turn = Decoder(LIMIT), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        got += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert got == found
    assert decoder.commands == [b"\x04PING\0\1context"] * (len(found) * commands)


@given(some.binary(max_size=400))
def test_rubbish_is_refused_or_waited_for_but_never_more_than_a_frame_is_kept(data: bytes) -> None:
    decoder = Decoder(LIMIT)
    try:
        got = decoder.feed(data)
    except WireError:
        return
    assert sum(len(body) for message in got for body in message) <= len(data)


@given(some.integers(LIMIT + 1, 2**63))
def test_a_frame_that_is_too_long_is_refused_before_it_comes(size: int) -> None:
    decoder = Decoder(LIMIT)
    with pytest.raises(WireError, match="frame"):
        decoder.feed(b"\x02" + size.to_bytes(8, "big"))


def test_a_ping_is_answered_with_its_context_and_a_refusal_is_told() -> None:
    assert answer_to(b"\x04PING\0\1abc") == frame(b"\x04PONGabc", flags=4)
    assert answer_to(b"\x05READY\x0bSocket-Type\0\0\0\4XPUB") == b""
    with pytest.raises(WireError, match="away"):
        answer_to(b"\x05ERROR\4away")


@given(some.binary(min_size=64, max_size=64))
def test_only_a_publisher_is_greeted(greeting: bytes) -> None:
    check_greeting(GREETING)
    try:
        check_greeting(greeting)
    except WireError:
        return
    assert greeting[12:32] == GREETING[12:32]
