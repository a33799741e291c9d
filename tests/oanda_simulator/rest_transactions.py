"""Handlers: the transaction log by time, by number, and since a number."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.oanda_simulator.calls import Call
from tests.oanda_simulator.candles import whole_number
from tests.oanda_simulator.reply import Reply, error, of_account
from tests.oanda_simulator.transactions import OutOfRange, filtered
from tests.oanda_simulator.values import Fields, csv_of, invalid, parse_time

_PAGE, _LARGEST_PAGE = 100, 1_000


def _kinds(call: Call) -> frozenset[str]:
    return frozenset(csv_of(call.query.get("type", "")))


def _number(call: Call, name: str) -> int:
    text = call.required(name)
    if not text.isdecimal():
        raise invalid(name)
    return int(text)


def _out_of_range() -> Reply:
    return error(416, "The transaction ID range is not available")


def _listed(call: Call, entries: list[Fields]) -> Reply:
    shown = [entry for entry in entries if call.faults.visible_in_log(entry["time"], call.venue.clock.now())]
    return of_account(call.account, {"transactions": filtered(shown, _kinds(call))})


def pages(call: Call) -> Reply:
    """Tell the pages of a span of time: addresses of ranges of numbers."""
    log, now = call.account.log, call.venue.clock.now()
    start = parse_time(call.query["from"], "from") if "from" in call.query else call.account.created
    end = parse_time(call.query["to"], "to") if "to" in call.query else now
    size = whole_number(call.query, "pageSize", _PAGE, 1, _LARGEST_PAGE)
    entries = filtered(log.in_time(start, end), _kinds(call))
    numbers = [entry["id"] for entry in entries]
    base = f"{call.base_url}/v3/accounts/{call.account.id}/transactions/idrange"
    kind = {"type": call.query["type"]} if call.query.get("type") else {}
    urls = [
        f"{base}?{urlencode({'from': part[0], 'to': part[-1], **kind})}"
        for part in (numbers[row : row + size] for row in range(0, len(numbers), size))
    ]
    body: Fields = {
        "from": start,
        "to": end,
        "pageSize": size,
        "type": sorted(_kinds(call)) or None,
        "count": len(numbers),
        "pages": urls,
    }
    return of_account(call.account, body)


def one(call: Call) -> Reply:
    """Tell one transaction."""
    text = call.parts["transaction"]
    if not text.isdecimal():
        raise invalid("transactionID")
    entry = call.account.log.get(int(text))
    if entry is None:
        return error(404, "The transaction ID specified does not exist", "NO_SUCH_TRANSACTION")
    return of_account(call.account, {"transaction": entry})


def id_range(call: Call) -> Reply:
    """Tell the transactions from one number to another, both included."""
    first, last = _number(call, "from"), _number(call, "to")
    try:
        return _listed(call, call.account.log.between(first, last))
    except OutOfRange:
        return _out_of_range()


def since(call: Call) -> Reply:
    """Tell the transactions after a number."""
    try:
        return _listed(call, call.account.log.since(_number(call, "id")))
    except OutOfRange:
        return _out_of_range()
