"""The virtual trades that the old trader's order wrapper kept: TinyDB files, open ones and history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from atrader.clock import NS_PER_S
from atrader.orders.model import SIGN, Side
from atrader.zones import zone_of
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.symbols import canonical

_CONTRACT: Final = Decimal(100_000)
"""Units of one lot: the old trader knew no other size."""

_TYPES: Final = ("buy", "sell", "buy limit", "sell limit", "buy stop", "sell stop")
_WORDS: Final = {name.replace(" ", ""): number for number, name in enumerate(_TYPES)}
_FORMS: Final = ("%d/%m/%y %H:%M", "%d/%m/%y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S")
_MILLISECONDS: Final = Decimal(10**11)  # JForex wrote them where others wrote seconds; as seconds it is the year 5138
_LIMIT_NS: Final = 2**62
_INT32: Final = 2**31 - 1


class OldTrade(NamedTuple):
    """One virtual trade.

    Attributes
    ----------
    where : str
        File and number in it, for messages.
    ticket, instance_id : int
        As they were; tickets are random and may repeat.
    kind : str
        ``buy``, ``sell``, or a pending order such as ``buy limit``.
    symbol : str
        Canonical.
    units : Decimal
        Lots times 100,000.
    open_ns, close_ns : int
        UTC ns; close 0 while it is open.
    profits : Mapping of str to Decimal
        ``Profit`` and ``ProfitPL``, of which nobody knows which is money.
    """

    where: str
    ticket: int
    instance_id: int
    kind: str
    symbol: str
    units: Decimal
    open_ns: int
    open_price: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    close_ns: int
    close_price: Decimal | None
    profits: Mapping[str, Decimal]

    @property
    def side(self) -> Side | None:
        """Side of a position; None of an order that waited."""
        return "buy" if self.kind == "buy" else "sell" if self.kind == "sell" else None

    @property
    def moved(self) -> Decimal:
        """Profit in the quote currency, from the prices."""
        side = self.side
        if side is None or self.close_price is None:
            return Decimal(0)
        return (self.close_price - self.open_price) * self.units * SIGN[side]

    def __str__(self) -> str:
        return f"{self.kind} {self.units} {self.symbol} at {self.open_price} (ticket {self.ticket})"


class OldTrades(NamedTuple):
    """What a file holds, and what could not be read."""

    trades: tuple[OldTrade, ...]
    findings: tuple[Finding, ...]


def parse_virtual_trades(text: str, file: str, zone: str, *, closed: bool) -> OldTrades:
    """Read ``ACCOUNT_openOrders.json`` or ``ACCOUNT_orderHistory.json``; never fails: see the findings.

    Parameters
    ----------
    text : str
        The file; empty and an empty database are the same.
    file : str
        Its name, for messages.
    zone : str
        Time zone of times that are text; numbers are seconds since 1970 UTC (JForex: milliseconds).
    closed : bool
        Whether it is the history.
    """
    findings: list[Finding] = []
    if not text.strip("\x00 \r\n\t"):
        return OldTrades((), ())
    try:
        content = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        why = f"is no whole JSON ({error}); the old trader wrote it in place, a crash may have cut it"
        return OldTrades((), (Finding(Kind.PROBLEM, file, line, "", why, "repair it, or take a copy from a backup"),))
    trades = []
    for number, row in _rows(content, file, findings):
        where = f"{file} row {number}"
        try:
            trades.append(_trade(where, row, zone_of(zone), closed=closed))
        except _Unreadable as error:
            findings.append(Finding(Kind.PROBLEM, file, 0, f"row {number}", str(error), "correct the row"))
    return OldTrades(tuple(trades), tuple(findings))


class _Unreadable(Exception):
    """Raised when a row is no trade."""


def _rows(content: Any, file: str, findings: list[Finding]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of all tables: TinyDB keeps maps by number, its first releases lists."""
    tables = content if isinstance(content, dict) else {"_default": content}
    for table in tables.values():
        rows: Iterable[tuple[Any, Any]]
        if isinstance(table, dict):
            rows = table.items()
        elif isinstance(table, list):
            rows = enumerate(table, start=1)
        else:
            rows = [("?", table)]
        for number, row in rows:
            if isinstance(row, dict):
                yield str(number), row
            else:
                findings.append(
                    Finding(Kind.PROBLEM, file, 0, f"row {number}", "is no map of a trade's values", "correct the row")
                )


def _trade(where: str, row: Mapping[str, Any], zone: ZoneInfo, *, closed: bool) -> OldTrade:
    values = {str(key).lower(): value for key, value in row.items()}
    symbol = canonical(str(values.get("symbol", "")))
    if symbol is None:
        raise _Unreadable(f"Symbol: {values.get('symbol')!r} is no pair")
    units = _number(values, "Volume") * _CONTRACT
    price = _number(values, "OpenPrice")
    if units <= 0 or price <= 0:
        raise _Unreadable(f"Volume and OpenPrice must be above 0, were {units / _CONTRACT} and {price}")
    return OldTrade(
        where,
        int(_number(values, "Ticket")),
        _instance_id(values),
        _TYPES[_type(values.get("type"))],
        symbol,
        units.normalize() if units != units.to_integral_value() else units.quantize(Decimal(1)),
        _time(values, "OpenTime", zone),
        price,
        _level(values, "StopLoss"),
        _level(values, "TakeProfit"),
        _time(values, "CloseTime", zone) if closed else 0,
        _number(values, "ClosePrice") if closed else None,
        {key: _number(values, key) for key in ("Profit", "ProfitPL") if _is_number(values.get(key.lower()))},
    )


def _instance_id(values: Mapping[str, Any]) -> int:
    value = int(_number(values, "InstanceID"))
    if not -1 <= value <= _INT32:
        raise _Unreadable(f"InstanceID: {value} does not fit 32 bits")
    return value


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return (
            re.fullmatch(r"[+-]?([0-9]{1,20}(\.[0-9]*)?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,2})?", value.strip())
            is not None
        )
    return isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 25


def _number(values: Mapping[str, Any], name: str, default: Decimal | None = None) -> Decimal:
    value = values.get(name.lower())
    if value is None and default is not None:
        return default
    if not _is_number(value):
        raise _Unreadable(f"{name}: expected a number, was {value!r}")
    return Decimal(str(value).strip())


def _level(values: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a stop or target; None where there is none, which was written as 0 or -1."""
    value = _number(values, name, Decimal(0))
    return value if value > 0 else None


def _type(value: object) -> int:
    if isinstance(value, str) and not value.strip().isdecimal():
        word = re.sub(r"[^a-z]", "", value.lower()).removeprefix("op")
        if word in _WORDS:
            return _WORDS[word]
    elif _is_number(value) and 0 <= (number := Decimal(str(value))) < len(_TYPES) and number == int(number):
        return int(number)
    raise _Unreadable(f"Type: expected 0 to 5 or BUY, SELL ..., was {value!r}")


def _time(values: Mapping[str, Any], name: str, zone: ZoneInfo) -> int:
    value = values.get(name.lower())
    if _is_number(value):
        number = Decimal(str(value).strip())
        time_ns = int(number * (NS_PER_S if abs(number) < _MILLISECONDS else NS_PER_S // 1000))
    else:
        time_ns = _written_time(value, name, zone)
    if not 0 < time_ns < _LIMIT_NS:
        raise _Unreadable(f"{name}: {value!r} is no time since 1970")
    return time_ns


def _written_time(value: object, name: str, zone: ZoneInfo) -> int:
    text = str(value).strip()
    for read in (datetime.fromisoformat, *(_reader(form) for form in _FORMS)):
        try:
            found = read(text)
        except ValueError:
            continue
        aware = found if found.tzinfo is not None else found.replace(tzinfo=zone)
        whole = aware.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (whole.days * 86_400 + whole.seconds) * NS_PER_S + whole.microseconds * 1000
    raise _Unreadable(f"{name}: expected a time such as 31/12/16 23:59, was {value!r}")


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the zone is added by who calls
