"""An account for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from atrader.instruments import Instrument
from manager.commands.status_view import orphan_lines
from manager.commands.tables import Column, price_cell, said, styled, table_of, terminal_width, time_cell

_UNKNOWN: Final = "-"
_GOOD: Final = {"ACTIVE", "holds", "online", "yes"}
_BAD: Final = {"HALTED", "FLATTENING", "broken", "away", "no"}
_OLD_S: Final = 120.0  # ages above it are told in minutes


def print_account(row: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> None:
    """Print one account as ``account --json`` has it."""
    click.echo("\n".join(_lines(row, instruments, terminal_width())))


def _lines(row: Mapping[str, Any], instruments: Mapping[str, Instrument], width: int | None) -> Iterator[str]:
    yield _head(row)
    if row["source"] is None:
        yield from said([(str(row["note"]), "yellow")], width)
        return
    if row["source"] == "journal":
        note = f"{row['note']}: this is what its journal had {_age(row['age_s'])} ago"
        yield from said([(note, "bold yellow")], width)
    else:
        yield from table_of(_MONEY, list(_money(row)), width)[0]
    yield from said(((f"break: {line}", "bold red") for line in (*row["breaks"], *_unvalued(row))), width)
    price = price_cell(instruments)
    for heading, columns, key in (
        ("exposure", _EXPOSURE, "exposures"),
        ("open trades", _trade_columns(price), "trades"),
        ("foreign trades, never touched; 'adopt' gives one to an instance", _trade_columns(price), "foreign"),
        ("orders without an outcome", _ORDERS, "orders"),
    ):
        if row[key]:
            yield from ("", *said([(heading, "bold")], width))
            yield from table_of(columns, row[key], width)[0]
    yield from said(orphan_lines([row]), width)
    if row["source"] == "gateway":
        yield from _connection(row, width)


def _head(row: Mapping[str, Any]) -> str:
    words = [row["name"], row["broker"], row.get("positions"), row.get("currency")]
    parts = [styled(" ".join(str(word) for word in words if word), "bold")]
    if row["source"] is None:
        return parts[0]
    parts.append(styled(row["trading_state"], _style(row["trading_state"])))
    if row["source"] == "gateway":
        connection = "online" if row["online"] else "away"
        parts.append(styled(connection, _style(connection)))
    if row["proof"] is not None or row["balance"] is not None:
        proof = row["proof"] or "not known"
        parts.append(styled(f"proof {proof}", _style(proof)))
    return "  ".join([*parts, f"session in the {row['session']}"])


def _money(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give our figures and, below them, those of the broker."""
    yield {**row, "whose": "ours"}
    if (told := row["broker_says"]) is not None:
        yield {**told, "whose": f"the broker's, {_age(told['age_s'])} ago"}


def _connection(row: Mapping[str, Any], width: int | None) -> Iterator[str]:
    yield from ("", *said(((text, "") for text in _connection_texts(row)), width))
    if row["health"] is not None and row["health"]["streams"]:
        yield from table_of(_STREAMS, row["health"]["streams"], width)[0]


def _connection_texts(row: Mapping[str, Any]) -> Iterator[str]:
    health, budget = row["health"], row["budget"]
    yield f"worked in up to transaction {row['watermark']}; rows the history does not have yet: {row['outbox']}"
    if budget is not None:
        waiting = ", ".join(f"{number} {name}" for name, number in budget["waiting"].items() if number) or "nobody"
        yield (
            f"requests: {budget['per_second']:g} a second, {budget['tokens']:.0f} of {budget['burst']} at once now;"
            f" waiting: {waiting}"
        )
    if health is None:
        return
    skew, trip = health["clock_skew_s"], health["round_trip_s"]
    if skew is not None:
        yield f"clock of the broker: {skew:+.3f} s from ours, seen {_age(health['clock_skew_age_s'])} ago"
    if trip is not None:
        yield f"newest answer took {trip * 1000:.0f} ms"


def _unvalued(row: Mapping[str, Any]) -> list[str]:
    return [f"nobody quotes {symbol}: the equity is not the whole truth" for symbol in row["unvalued"]]


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    return f"{seconds:.1f} s" if seconds < _OLD_S else f"{seconds / 60:.0f} min"


def _style(word: str) -> str:
    return "green" if word in _GOOD else "bold red" if word in _BAD else "" if word == _UNKNOWN else "yellow"


def _known(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else str(value)


def _yes(value: Any, row: Mapping[str, Any]) -> str:
    return "yes" if value else "no"


def _seconds(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f} s"


def _trade_columns(price: Any) -> Sequence[Column]:
    return (
        *(Column("instance", "instance"), Column("magic", "magic", 3, True), Column("trade_id", "trade", 5)),
        *(Column("instrument", "instrument"), Column("side", "side"), Column("units", "units", 0, True)),
        *(Column("open_price", "open", 0, True, price), Column("stop_loss", "stop", 1, True, price)),
        *(Column("take_profit", "target", 2, True, price), Column("open_time", "since", 4, False, time_cell)),
        *(Column("floating", "floating", 0, True, _known), Column("broker_trade_id", "ticket", 6, True, _known)),
    )


_MONEY = (
    *(Column("whose", "figures"), Column("balance", "balance", 0, True, _known)),
    *(Column("equity", "equity", 0, True, _known), Column("margin_used", "margin used", 0, True, _known)),
    Column("margin_free", "margin free", 0, True, _known),
)
_EXPOSURE = (
    *(Column("instrument", "instrument"), Column("long_units", "long", 1, True)),
    *(Column("short_units", "short", 1, True), Column("net_units", "net", 0, True)),
    *(Column("value", "value", 0, True, _known), Column("floating", "floating", 0, True, _known)),
)
_ORDERS = (
    *(Column("instance", "instance"), Column("client_id", "order", 1), Column("state", "state", style=_style)),
    *(Column("action", "action"), Column("instrument", "instrument"), Column("side", "side", 0, False, _known)),
    *(Column("order_type", "type", 2), Column("units", "units", 0, True, _known)),
    *(Column("price", "price", 0, True, _known), Column("created", "since", 3, False, time_cell)),
)
_STREAMS = (
    *(Column("name", "stream"), Column("connected", "connected", cell=_yes, style=_style)),
    *(Column("heard_age_s", "heard", 0, True, _seconds), Column("reconnects", "reconnects", 1, True)),
)
