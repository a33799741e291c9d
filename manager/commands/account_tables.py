"""An account for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from atrader.instruments import Instrument
from manager.commands.status_view import orphan_lines
from manager.commands.tables import Column, console_for_people, price_cell, table_of, time_cell

_UNKNOWN: Final = "-"
_GOOD: Final = {"ACTIVE", "holds", "online", "yes"}
_BAD: Final = {"HALTED", "FLATTENING", "broken", "away", "no"}
_OLD_S: Final = 120.0  # ages above it are told in minutes


def print_account(row: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> None:
    """Print one account as ``account --json`` has it."""
    console = console_for_people()
    for part in _parts(row, instruments, console.width if console.is_terminal else None):
        console.print(part)


def _parts(
    row: Mapping[str, Any], instruments: Mapping[str, Instrument], width: int | None
) -> Iterator[RenderableType]:
    yield _head(row)
    if row["source"] is None:
        yield Text(str(row["note"]), style="yellow")
        return
    if row["source"] == "journal":
        yield Text(f"{row['note']}: this is what its journal had {_age(row['age_s'])} ago", style="bold yellow")
    else:
        yield table_of(_MONEY, list(_money(row)), width)[0]
    for line in (*row["breaks"], *_unvalued(row)):
        yield Text(f"break: {line}", style="bold red")
    price = price_cell(instruments)
    for heading, columns, key in (
        ("exposure", _EXPOSURE, "exposures"),
        ("open trades", _trade_columns(price), "trades"),
        ("foreign trades, never touched; 'adopt' gives one to an instance", _trade_columns(price), "foreign"),
        ("orders without an outcome", _ORDERS, "orders"),
    ):
        if row[key]:
            yield Text(f"\n{heading}", style="bold")
            yield table_of(columns, row[key], width)[0]
    yield from orphan_lines([row])
    if row["source"] == "gateway":
        yield from _connection(row, width)


def _head(row: Mapping[str, Any]) -> Text:
    words = [row["name"], row["broker"], row.get("positions"), row.get("currency")]
    text = Text(" ".join(str(word) for word in words if word), style="bold")
    if row["source"] is None:
        return text
    text.append(f"  {row['trading_state']}", style=_style(row["trading_state"]))
    if row["source"] == "gateway":
        connection = "online" if row["online"] else "away"
        text.append(f"  {connection}", style=_style(connection))
    if row["proof"] is not None or row["balance"] is not None:
        proof = row["proof"] or "not known"
        text.append(f"  proof {proof}", style=_style(proof))
    text.append(f"  session in the {row['session']}", style="default")
    return text


def _money(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give our figures and, below them, those of the broker."""
    yield {**row, "whose": "ours"}
    if (told := row["broker_says"]) is not None:
        yield {**told, "whose": f"the broker's, {_age(told['age_s'])} ago"}


def _connection(row: Mapping[str, Any], width: int | None) -> Iterator[RenderableType]:
    health, budget = row["health"], row["budget"]
    yield Text(f"\nworked in up to transaction {row['watermark']}; rows the history does not have yet: {row['outbox']}")
    if budget is not None:
        waiting = ", ".join(f"{number} {name}" for name, number in budget["waiting"].items() if number) or "nobody"
        yield Text(
            f"requests: {budget['per_second']:g} a second, {budget['tokens']:.0f} of {budget['burst']} at once now;"
            f" waiting: {waiting}"
        )
    if health is None:
        return
    skew, trip = health["clock_skew_s"], health["round_trip_s"]
    if skew is not None:
        yield Text(f"clock of the broker: {skew:+.3f} s from ours, seen {_age(health['clock_skew_age_s'])} ago")
    if trip is not None:
        yield Text(f"newest answer took {trip * 1000:.0f} ms")
    if health["streams"]:
        yield table_of(_STREAMS, health["streams"], width)[0]


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
