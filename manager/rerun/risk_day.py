"""What limits were measured from when a life began: the risk day of the gateway, and the losses of each instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from atrader.clock import NS_PER_S
from atrader.risk import InstanceRecord, RiskDay
from manager.rerun.moment import Moment
from research.rerun.record import number_of

Row = dict[str, Any]

_MINUTE_NS: Final = 60 * NS_PER_S


def risk_day_of(text: str, trades: Sequence[Row], fills: Iterable[Row], moment: Moment) -> RiskDay | None:
    """Return the risk day that a worker's gateway told of as it began; None when none was told.

    What was booked in that very moment is counted from the history instead: some of it is done again.

    Parameters
    ----------
    text : str
        As recorded, JSON.
    trades, fills : iterable of Row
        Of the account.
    moment : Moment
        In which the life began.
    """
    try:
        day = RiskDay.model_validate_json(text) if text else None
    except ValidationError:  # of another release
        day = None
    if day is None:
        return None
    fills = [fill for fill in fills if fill["time_ns"] >= day.day_start_ns]
    counted = {
        magic: _counted(magic, day.instance(magic), trades, fills, moment)
        for magic in {fill["magic"] for fill in fills if fill["time_ns"] >= moment.at_ns}
    }
    return day.model_copy(update={"instances": {**day.instances, **counted}})


def recent_intents(rows: Iterable[Row], moment: Moment) -> list[tuple[int, int]]:
    """Return magic number and time of the intents of the minute before a life, oldest first."""
    first_ns = moment.at_ns - _MINUTE_NS
    recent = [
        (row["time_ns"], row["magic"])
        for row in rows
        if first_ns < row["time_ns"] <= moment.at_ns and row["client_id"] not in moment.own and number_of(row) > 0
    ]
    return [(magic, time_ns) for time_ns, magic in sorted(recent)]


def _counted(
    magic: int, known: InstanceRecord, trades: Iterable[Row], fills: Iterable[Row], moment: Moment
) -> InstanceRecord:
    mine = [fill for fill in fills if fill["magic"] == magic]
    again = {fill["trade_id"] for fill in mine if moment.is_later(fill)}
    booked = (Decimal(fill["profit"]) + Decimal(fill["commission"]) for fill in mine if not moment.is_later(fill))
    closed = sorted(
        (
            row
            for row in trades
            if row["magic"] == magic
            and row["close_time_ns"] is not None
            and row["close_time_ns"] <= moment.at_ns
            and row["trade_id"] not in again
        ),
        key=lambda row: row["close_time_ns"],
    )
    losses = 0
    while losses < len(closed) and _is_lost(closed[-1 - losses]):
        losses += 1
    lost_ns = max((row["close_time_ns"] for row in closed if _is_lost(row)), default=None)
    realised = sum(booked, known.financing_today)
    return known.model_copy(update={"realised_today": realised, "losses_in_row": losses, "last_loss_ns": lost_ns})


def _is_lost(trade: Row) -> bool:
    return sum((Decimal(trade[name] or 0) for name in ("profit", "commission", "swap")), Decimal(0)) < 0
