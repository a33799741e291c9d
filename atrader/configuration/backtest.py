"""The table [backtest] of a strategy file: how a backtest of it fills, where that is not the paper account's way."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from atrader.configuration.base import Section

WAITING: Final[tuple[Literal["limit"], Literal["stop"]]] = ("limit", "stop")


class BacktestSettings(Section):
    """How orders fill in a backtest; nothing of it counts live, or on a paper account."""

    convention: Literal["paper", "next-open", "backtesting.py", "vectorbt", "nautilus"] = "paper"  # as in other engines
    fill: Literal["close", "next-open"] | None = None  # market orders; default: the convention's
    inside: Literal["quotes", "range"] | None = None  # of a bar: four quotes, or its range, bad side first
    stops_from: Literal["entry", "next-bar"] | None = None  # when stops and targets begin to work
    entry: str = "market"  # or "limit:PIPS", "stop:PIPS": orders that wait so far below or above the market
    order_bars: Annotated[int, Field(ge=1)] | None = None  # an entry that waits is given up after so many bars
    hold_bars: Annotated[int, Field(ge=1)] | None = None  # a trade is closed after so many bars
    most_trades: Annotated[int, Field(ge=1, le=64)] = 1  # on one side at once (pyramiding)
    targets: str = ""  # R:SHARE,... shares of a trade closed at multiples of its risk, such as "1:0.5,2:0.25"
    break_even_after: Annotated[int, Field(ge=1)] | None = None  # so many targets reached: the stop moves to the entry

    @field_validator("entry")
    @classmethod
    def _is_an_entry(cls, value: str) -> str:
        entry_of(value)
        return value

    @field_validator("targets")
    @classmethod
    def _are_targets(cls, value: str) -> str:
        targets_of(value)
        return value


def entry_of(text: str) -> tuple[Literal["market", "limit", "stop"], Decimal | None]:
    """Read the kind of entries, and how many pips from the market they wait.

    Raises
    ------
    ValueError
        When it is none.
    """
    if text == "market":
        return "market", None
    kind, _, away = text.partition(":")
    try:
        pips = Decimal(away)
    except InvalidOperation:
        pips = Decimal(-1)
    found = next((one for one in WAITING if one == kind), None)
    if found is None or not pips.is_finite() or not 0 <= pips <= 1_000_000:
        raise ValueError("expected market, limit:PIPS or stop:PIPS, such as limit:2")
    return found, pips


def targets_of(text: str) -> tuple[tuple[float, float], ...]:
    """Read ``R:SHARE`` pairs with commas between.

    Raises
    ------
    ValueError
        When one is no such pair.
    """
    try:
        pairs = [one.split(":") for one in text.split(",") if text]
        return tuple((float(r), float(share)) for r, share in pairs)
    except ValueError as error:
        raise ValueError("expected R:SHARE with commas between, such as 1:0.5,2:0.25") from error
