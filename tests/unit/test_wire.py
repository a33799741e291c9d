from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import ClassVar

import msgpack
import pytest

from atrader.errors import (
    AtraderError,
    ConfigError,
    DeadlineExceeded,
    InternalError,
    InvariantBroken,
    Rejected,
    Retryable,
    StrategyError,
    UnknownOutcome,
    WireError,
)
from atrader.wire import (
    PROTOCOL_VERSION,
    Answer,
    Request,
    pack_answer,
    pack_error,
    pack_map,
    pack_request,
    unpack_answer,
    unpack_map,
    unpack_request,
)


class Colour(Enum):
    RED = "red"


class Leg(Answer):
    price: Decimal


class PaintAnswer(Answer):
    total: Decimal
    legs: tuple[Leg, ...] = ()
    by_magic: dict[int, Decimal] = {}
    raw: bytes = b""


class Paint(Request):
    kind: ClassVar[str] = "test-wire.paint"
    answer: ClassVar[type[Answer]] = PaintAnswer
    colour: Colour
    units: Decimal
    time_ns: int
    stop: Decimal | None = None


class PaintTwice(Paint):
    """Inherits the fields, not the kind."""


def message(**changes: object) -> bytes:
    whole = {
        "v": PROTOCOL_VERSION,
        "kind": "test-wire.paint",
        "deadline_ns": 5,
        "body": {"colour": "red", "units": "1.50", "time_ns": 2**62, "stop": None},
    }
    packed: bytes = msgpack.packb({key: value for key, value in (whole | changes).items() if value != "missing"})
    return packed


def test_a_request_comes_back_as_it_was_with_every_digit_and_its_deadline():
    request = Paint(colour=Colour.RED, units=Decimal("1.500000000000000000000000000001"), time_ns=2**62)
    assert unpack_request(pack_request(request, 77)) == (request, 77)


def test_decimals_travel_as_strings_and_none_stays_none():
    body = msgpack.unpackb(pack_request(Paint(colour=Colour.RED, units=Decimal("1.50"), time_ns=1), 77))["body"]
    assert body == {"colour": "red", "units": "1.50", "time_ns": 1, "stop": None}


def test_an_answer_comes_back_as_it_was():
    answer = PaintAnswer(
        total=Decimal("0.10"), legs=(Leg(price=Decimal("1.2")),), by_magic={7: Decimal(3)}, raw=b"\xff"
    )
    assert unpack_answer(pack_answer(answer), PaintAnswer) == answer


def test_an_answer_can_be_read_from_a_memoryview():
    assert unpack_answer(memoryview(pack_answer(Leg(price=Decimal(1)))), Leg) == Leg(price=Decimal(1))


@pytest.mark.parametrize(
    "kind",
    [
        AtraderError,
        ConfigError,
        Retryable,
        DeadlineExceeded,
        UnknownOutcome,
        Rejected,
        InvariantBroken,
        StrategyError,
        WireError,
        InternalError,
    ],
)
def test_an_error_is_raised_again_as_the_same_class_with_message_and_details(kind: type[AtraderError]):
    with pytest.raises(AtraderError) as caught:
        unpack_answer(pack_error(kind("no, thanks", details={"reason": "size", "limit": 3})), PaintAnswer)
    assert type(caught.value) is kind
    assert caught.value.message == "no, thanks"
    assert caught.value.details == {"reason": "size", "limit": 3}


def test_an_error_of_a_newer_program_is_raised_as_the_root_class_and_keeps_its_code():
    data = msgpack.packb(
        {"v": PROTOCOL_VERSION, "kind": "error", "body": {"code": "novel", "message": "m", "details": {}}}
    )
    with pytest.raises(AtraderError) as caught:
        unpack_answer(data, PaintAnswer)
    assert type(caught.value) is AtraderError
    assert caught.value.details == {"code": "novel"}


def test_details_without_a_form_on_the_wire_go_as_text():
    with pytest.raises(Rejected) as caught:
        unpack_answer(pack_error(Rejected("no", details={"what": object, "huge": 2**90})), PaintAnswer)
    assert caught.value.details == {"what": repr(object), "huge": str(2**90)}


def test_an_error_whose_text_is_no_unicode_can_still_be_sent():
    with pytest.raises(ConfigError, match="file"):
        unpack_answer(pack_error(ConfigError("file \udcff")), PaintAnswer)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "MessagePack"),
        (b"\xc1", "MessagePack"),
        (b"\x91" * 5000, "MessagePack"),
        (b"\xdf\xff\xff\xff\xff", "MessagePack"),
        (b"\x81\x80\x01", "MessagePack"),
        (msgpack.packb([1, 2]), "expected a map"),
        (message(v=2), "protocol version 2"),
        (message(v=True), "protocol version"),
        (message(v="missing"), "protocol version"),
        (message(kind="test-wire.unheard"), "'test-wire.unheard' is not known"),
        (message(kind=3), "expected a kind"),
        (message(body=[1]), "expected a kind"),
        (message(deadline_ns="missing"), "deadline"),
        (message(deadline_ns=-1), "deadline"),
        (message(deadline_ns=1.5), "deadline"),
        (message(surplus=1), "nothing beside"),
        (message(body={}), "Paint: colour"),
        (message(body={"colour": "red", "units": "x", "time_ns": 1}), "Paint: units"),
        (message(body={"colour": "red", "units": "NaN", "time_ns": 1}), "Paint: units"),
        (message(body={"colour": "red", "units": "1", "time_ns": 1, "more": 1}), "Paint: more"),
        (message(body={7: 1}), "Paint"),
    ],
)
def test_what_is_no_request_is_refused_with_a_clear_text(data: bytes, text: str):
    with pytest.raises(WireError, match=text):
        unpack_request(data)


@pytest.mark.parametrize("body", [{}, {"code": 1, "message": "m", "details": {}}, {"code": "x", "message": "m"}])
def test_a_malformed_error_is_a_wire_error(body: dict[str, object]):
    with pytest.raises(WireError):
        unpack_answer(msgpack.packb({"v": PROTOCOL_VERSION, "kind": "error", "body": body}), PaintAnswer)


def test_an_answer_of_another_class_is_refused():
    with pytest.raises(WireError, match="PaintAnswer"):
        unpack_answer(pack_answer(Leg(price=Decimal(1))), PaintAnswer)


def test_a_request_is_no_answer():
    with pytest.raises(WireError):
        unpack_answer(pack_request(Paint(colour=Colour.RED, units=Decimal(1), time_ns=1), 1), PaintAnswer)
    with pytest.raises(WireError, match="expected an answer"):
        unpack_answer(pack_map("beat", {}), PaintAnswer)


def test_an_int_beyond_64_bits_is_refused_by_the_sender():
    with pytest.raises(WireError, match="no form on the wire"):
        pack_request(Paint(colour=Colour.RED, units=Decimal(1), time_ns=2**64), 1)


def test_a_second_class_of_the_same_kind_is_refused():
    with pytest.raises(TypeError, match=r"test-wire\.paint"):

        class Impostor(Request):
            kind: ClassVar[str] = "test-wire.paint"
            answer: ClassVar[type[Answer]] = PaintAnswer


def test_a_kind_that_is_no_name_is_refused():
    with pytest.raises(TypeError, match="expected a name"):

        class Nameless(Request):
            kind: ClassVar[str] = ""
            answer: ClassVar[type[Answer]] = PaintAnswer


def test_a_subclass_without_a_kind_of_its_own_cannot_be_sent_under_the_name_of_its_parent():
    with pytest.raises(WireError, match="PaintTwice has no kind"):
        pack_request(PaintTwice(colour=Colour.RED, units=Decimal(1), time_ns=1), 1)


def test_a_free_map_keeps_kind_and_body():
    kind, body = unpack_map(pack_map("beat", {"progress": 3, "equity": Decimal("1.10"), "legs": frozenset({1})}))
    assert (kind, body) == ("beat", {"progress": 3, "equity": "1.10", "legs": [1]})
    with pytest.raises(WireError, match="unexpected"):
        unpack_map(message())
