"""Order requests as clients send them: read into typed values, with the defaults the venue fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.oanda_simulator.model import DEPENDENT, ENTRY, KINDS
from tests.oanda_simulator.values import Fields, Malformed, invalid, parse_decimal, parse_time

Reader = Callable[[Any, str], Any]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(name)
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise invalid(name)
    return value


def _one_of(*allowed: str) -> Reader:
    def read(value: Any, name: str) -> str:
        if value not in allowed:
            raise invalid(name)
        return str(value)

    return read


def extensions(value: Any, name: str) -> Fields:
    """Read client extensions. Raises `Malformed`."""
    return read_fields(value, name, {"id": _text, "tag": _text, "comment": _text})


_TIME_IN_FORCE: Final = _one_of("GTC", "GTD", "GFD", "FOK", "IOC")
_TRIGGER: Final = _one_of("DEFAULT", "INVERSE", "BID", "ASK", "MID")
_DETAILS: Final[Mapping[str, Reader]] = {
    "price": parse_decimal,
    "distance": parse_decimal,
    "timeInForce": _TIME_IN_FORCE,
    "gtdTime": parse_time,
    "triggerCondition": _TRIGGER,
    "clientExtensions": extensions,
    "guaranteed": _flag,
}


def details(value: Any, name: str) -> Fields:
    """Read the details of a dependent order, such as ``stopLossOnFill``. Raises `Malformed`."""
    return {"timeInForce": "GTC", **read_fields(value, name, _DETAILS)}


_FIELDS: Final[Mapping[str, Reader]] = {
    "type": _text,
    "instrument": _text,
    "units": parse_decimal,
    "price": parse_decimal,
    "distance": parse_decimal,
    "priceBound": parse_decimal,
    "timeInForce": _TIME_IN_FORCE,
    "gtdTime": parse_time,
    "positionFill": _one_of("DEFAULT", "OPEN_ONLY", "REDUCE_FIRST", "REDUCE_ONLY"),
    "triggerCondition": _TRIGGER,
    "tradeID": _text,
    "clientTradeID": _text,
    "guaranteed": _flag,
    "clientExtensions": extensions,
    "tradeClientExtensions": extensions,
    **{f"{name}OnFill": details for name in DEPENDENT.values()},
}


def read_fields(value: Any, name: str, readers: Mapping[str, Reader]) -> Fields:
    """Read the known fields of an object; unknown ones are ignored. Raises `Malformed`."""
    if not isinstance(value, Mapping):
        raise invalid(name)
    return {
        key: read(value[key], f"{name}.{key}")
        for key, read in readers.items()
        if key in value and value[key] is not None
    }


def order_request(body: Any) -> Fields:
    """Read the body of a new order.

    Returns the fields that were given, with the venue's defaults for the kind of order. Raises `Malformed`.
    """
    if not isinstance(body, Mapping) or "order" not in body:
        raise Malformed("Invalid value specified for 'order'")
    fields = read_fields(body["order"], "order", _FIELDS)
    kind = fields.setdefault("type", "MARKET")
    if kind not in KINDS:
        raise invalid("order.type")
    fields.setdefault("timeInForce", "FOK" if kind == "MARKET" else "GTC")
    if kind == "MARKET" or kind in ENTRY:
        fields.setdefault("positionFill", "DEFAULT")
    if kind in ENTRY:
        fields.setdefault("partialFill", "DEFAULT")
    if kind != "MARKET":
        fields.setdefault("triggerCondition", "DEFAULT")
    return fields
