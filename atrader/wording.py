"""Figures for people: money, shares and times in few characters; ``-`` for what has no meaning."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from atrader.instruments import Instrument

Row = Mapping[str, Any]

_MOST_DIGITS: Final = 17
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def money_text(value: float | None) -> str:
    """Write an amount with two decimals."""
    return "-" if value is None else f"{value:,.2f}"


def price_text(price: Decimal, instrument: Instrument) -> str:
    """Write a price with the digits of its instrument, or one more: averages lie between its steps."""
    exponent = instrument.price_tick.as_tuple().exponent
    assert isinstance(exponent, int)  # a price step is a number
    usual = price.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_EVEN)
    shown = usual if usual == price else price.quantize(Decimal(1).scaleb(exponent - 1), ROUND_HALF_EVEN)
    return f"{shown:f}"


def share_text(value: float | None, digits: int = 1) -> str:
    """Write a share as percent; what rounds to nothing has no sign."""
    return "-" if value is None else f"{value:z.{digits}%}"


def ratio_text(value: float | None) -> str:
    """Write a ratio with two decimals."""
    return "-" if value is None else f"{value:.2f}"


def apart_text(value: float, limit: float, digits: int = 2) -> str:
    """Write a number with as many digits as tell it from a limit it is not equal to: 0.949 is below 0.95."""
    for places in range(digits, _MOST_DIGITS):
        text = f"{value:.{places}f}"
        if value == limit or float(text) != limit:
            return text
    return f"{value!r}"


def duration_text(seconds: float | None) -> str:
    """Write a time in its largest unit."""
    if seconds is None:
        return "-"
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.0f} s"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Write how many there are of something; without `many` its plural ends in s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def statistics_lines(row: Row) -> list[tuple[str, str]]:
    """Write the statistics of a group of trades as headings and texts; what they mean is in ``docs/statistics.md``."""
    still_open = f", {row['open']} open" if row["open"] else ""
    lines = [("trades", f"{row['trades']:,} closed ({row['wins']:,} won, {row['losses']:,} lost){still_open}")]
    if row["trades"]:
        costs = f"commission {money_text(row['commission'])}, swap {money_text(row['swap'])}"
        lines += [
            ("result", f"{money_text(row['net'])} ({costs})"),
            ("win rate", share_text(row["win_rate_frac"])),
            ("profit factor", ratio_text(row["profit_factor"])),
            ("expectancy", f"{money_text(row['expectancy'])} a trade; {_r(row)}"),
            ("average", f"win {money_text(row['average_win'])}, loss {money_text(row['average_loss'])}"),
            ("payoff", ratio_text(row.get("payoff"))),  # results saved by an earlier version have none
            ("best and worst", f"{money_text(row['best'])}, {money_text(row['worst'])}"),
            ("drawdown", _drawdown(row, "drawdown")),
            ("streaks", f"{row['streak_wins']} won, {row['streak_losses']} lost; now {row['streak_current']:+d}"),
            ("holding time", f"{duration_text(row['average_holding_s'])} on average"),
        ]
    share = f"{share_text(row['exposed_frac'])} of the time since the first open"
    lines.append(("exposure", f"{duration_text(row['exposed_s'])}, {share}"))
    if row["equity_drawdown_deepest"] is not None:
        lines.append(("account drawdown", _drawdown(row, "equity_drawdown")))
    return lines


def _drawdown(row: Row, of: str) -> str:
    share = row[f"{of}_deepest_frac"]
    percent = "" if share is None else f" ({share_text(share)})"
    return f"{money_text(row[f'{of}_deepest'])}{percent}, longest {duration_text(row[f'{of}_longest_s'])}"


def _r(row: Row) -> str:
    if row["average_r"] is None:
        return "no initial risk known"
    return f"{row['average_r']:+.2f} R over {row['r_trades']} trades"
