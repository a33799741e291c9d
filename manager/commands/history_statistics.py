"""Statistics of trades for people: one block of lines per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))

Row = Mapping[str, Any]


def print_statistics(rows: Sequence[Row], by: str) -> None:
    """Print groups one below the other, with the same lines in each."""
    if not rows:
        click.echo("no trades")
    for number, row in enumerate(rows):
        if number:
            click.echo()
        name = f"account {row['account']}" if by == "account" else f"{by} {row[by]} on {row['account']}"
        click.secho(name, bold=True)
        for heading, text in _lines(row):
            click.echo(f"  {heading:<18} {text}")


def _lines(row: Row) -> list[tuple[str, str]]:
    still_open = f", {row['open']} open" if row["open"] else ""
    lines = [("trades", f"{row['trades']} closed ({row['wins']} won, {row['losses']} lost){still_open}")]
    if row["trades"]:
        lines += [
            ("result", f"{_money(row['net'])} (commission {_money(row['commission'])}, swap {_money(row['swap'])})"),
            ("win rate", _share(row["win_rate_frac"])),
            ("profit factor", "-" if row["profit_factor"] is None else f"{row['profit_factor']:.2f}"),
            ("expectancy", f"{_money(row['expectancy'])} a trade; {_r(row)}"),
            ("average", f"win {_money(row['average_win'])}, loss {_money(row['average_loss'])}"),
            ("best and worst", f"{_money(row['best'])}, {_money(row['worst'])}"),
            ("drawdown", _drawdown(row, "drawdown")),
            ("streaks", f"{row['streak_wins']} won, {row['streak_losses']} lost; now {row['streak_current']:+d}"),
            ("holding time", f"{_time(row['average_holding_s'])} on average"),
        ]
    lines.append(("exposure", f"{_time(row['exposed_s'])}, {_share(row['exposed_frac'])} of the time"))
    if row["equity_drawdown_deepest"] is not None:
        lines.append(("account drawdown", _drawdown(row, "equity_drawdown")))
    return lines


def _drawdown(row: Row, of: str) -> str:
    share = row[f"{of}_deepest_frac"]
    percent = "" if share is None else f" ({_share(share)})"
    return f"{_money(row[f'{of}_deepest'])}{percent}, longest {_time(row[f'{of}_longest_s'])}"


def _r(row: Row) -> str:
    if row["average_r"] is None:
        return "no initial risk known"
    return f"{row['average_r']:+.2f} R over {row['r_trades']} trades"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.0f} s"
