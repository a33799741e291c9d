"""What the demonstration tells: what is new since it last looked, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import click

from manager.commands.tables import price_cell
from manager.log_files import LogLine

_NAME_WIDTH = 16
_price = price_cell({})


class News:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._held: dict[str, Decimal] | None = None  # units by trade; None before the first look

    def of_processes(self, lines: Iterable[LogLine]) -> list[str]:
        """Tell of processes that die and come back."""
        return [
            click.style(f"{line.fields.get('name', '')}: {line.fields['transition']}", fg="yellow")
            for line in lines
            if "transition" in line.fields
        ]

    def of_trades(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Tell of trades that opened or closed, wholly or partly; those of earlier runs are only counted."""
        rows = list(rows)
        if self._held is None:
            self._held = {row["trade_id"]: Decimal(row["units_open"]) for row in rows}
            open_now = sum(1 for units in self._held.values() if units)
            noun = "open trade" if open_now == 1 else "open trades"
            return [f"{open_now} {noun} of the last run: taken up again"] if open_now else []
        return [line for row in rows for line in self._of_trade(row, self._held)]

    def _of_trade(self, row: Mapping[str, Any], known: dict[str, Decimal]) -> list[str]:
        trade_id, held, opened = row["trade_id"], Decimal(row["units_open"]), Decimal(row["units"])
        before, lines = known.get(trade_id), []
        if before is None or held > before:  # new, or one more part of its order was filled
            what = "opened" if before is None else "opened further:"
            lines.append(_line(row, f"{what} {opened} at {_price(row['open_price'], row)}"))
            before = opened
        known[trade_id] = held
        if held < before:
            what = "closed" if held == 0 else f"closed {opened - held} of {opened}"
            profit, price = Decimal(row["profit"]), _price(row["close_price"], row)
            result = click.style(f"profit {profit}", fg="green" if profit >= 0 else "red")
            lines.append(_line(row, f"{what} at {price} ({row['close_reason']}): {result}"))
        return lines


def _line(row: Mapping[str, Any], text: str) -> str:
    return f"{row['instance'] or 'foreign':<{_NAME_WIDTH}} {row['side']:<4} {row['instrument']}  {text}"
