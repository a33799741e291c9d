"""The risk day: the reference points that limits are measured from, rolled with the account's calendar.

Pure and serialisable: the gateway rolls it with every valuation and keeps it in its journal, so that a restart does
not begin a new day.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict

from atrader.calendars import Calendar
from atrader.orders.model import Fill, Trade

_ZERO = Decimal(0)


class InstanceRecord(BaseModel):
    """What an instance won and lost, as far as its limits need it. Money in account currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    realised_today: Decimal = _ZERO  # profit, commission and swap booked since the start of the day
    financing_today: Decimal = _ZERO  # of it swap: no fill tells of that
    floating_at_day_start: Decimal = _ZERO
    losses_in_row: int = 0  # closed trades that lost, since the last one that did not
    last_loss_ns: int | None = None


_NOTHING = InstanceRecord()


class RiskDay(BaseModel):
    """Reference points of one account. Money in account currency; times UTC ns.

    Deposits and withdrawals are not told apart from profit: after one, begin anew (`begin`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calendar: str  # whose day boundary starts the day
    day_start_ns: int
    day_start_equity: Decimal
    day_start_balance: Decimal
    start_equity: Decimal  # when the account came under our care
    start_balance: Decimal
    peak_equity: Decimal  # highest equity ever seen
    peak_day_end_balance: Decimal  # highest balance at the end of a day (or at the start)
    best_day_profit: Decimal = _ZERO  # of the finished days
    instances: dict[int, InstanceRecord] = {}  # by magic number

    @classmethod
    def begin(cls, calendar: str, now_ns: int, balance: Decimal, equity: Decimal) -> Self:
        """Start counting now: every reference is the present value.

        Raises
        ------
        ValueError
            When there is no such calendar.
        """
        return cls(
            calendar=calendar,
            day_start_ns=Calendar.get(calendar).day_start(now_ns),
            day_start_equity=equity,
            day_start_balance=balance,
            start_equity=equity,
            start_balance=balance,
            peak_equity=equity,
            peak_day_end_balance=balance,
        )

    def roll(
        self, now_ns: int, balance: Decimal, equity: Decimal, floating: Mapping[int, Decimal] | None = None
    ) -> Self:
        """Work a valuation in: raise the peak, and start a new day when the calendar says so.

        The day starts with the first valuation after its boundary: after a night without a gateway, with the first of
        the morning. A clock that steps back never brings an old day back. Nothing changed: the same object.

        Parameters
        ----------
        now_ns : int
            Market time, UTC.
        balance, equity : Decimal
            Of the account.
        floating : Mapping of int to Decimal, optional
            Profit of the open trades by magic number.
        """
        update: dict[str, object] = {}
        if equity > self.peak_equity:
            update["peak_equity"] = equity
        day_start_ns = Calendar.get(self.calendar).day_start(now_ns)
        if day_start_ns > self.day_start_ns:
            floats = floating or {}
            update |= {
                "day_start_ns": day_start_ns,
                "day_start_equity": equity,
                "day_start_balance": balance,
                "peak_day_end_balance": max(self.peak_day_end_balance, balance),
                "best_day_profit": max(self.best_day_profit, balance - self.day_start_balance),
                "instances": {
                    magic: self.instance(magic).model_copy(
                        update={
                            "realised_today": _ZERO,
                            "financing_today": _ZERO,
                            "floating_at_day_start": floats.get(magic, _ZERO),
                        }
                    )
                    for magic in sorted({*self.instances, *floats})
                },
            }
        return self.model_copy(update=update) if update else self

    def booked(self, magic: int, amount: Decimal) -> Self:
        """Count financing booked for an instance today."""
        known = self.instance(magic)
        update = {
            "realised_today": known.realised_today + amount,
            "financing_today": known.financing_today + amount,
        }
        return self._with(magic, known.model_copy(update=update))

    def filled(self, fill: Fill) -> Self:
        """Count a fill (with its profit, as `Ledger.apply_close` returns it)."""
        amount = fill.profit + fill.commission
        if not amount:
            return self
        known = self.instance(fill.magic)
        return self._with(fill.magic, known.model_copy(update={"realised_today": known.realised_today + amount}))

    def closed(self, trade: Trade) -> Self:
        """Count a closed trade as won or lost (after commission and swap). A trade that is still open is ignored.

        Its money is not booked here: `filled` and `booked` did that as it came.
        """
        if trade.is_open:
            return self
        known = self.instance(trade.magic)
        lost = trade.profit + trade.commission + trade.swap < 0
        update: dict[str, object] = {"losses_in_row": known.losses_in_row + 1 if lost else 0}
        if lost:
            update["last_loss_ns"] = trade.close_time_ns
        return self._with(trade.magic, known.model_copy(update=update))

    def instance(self, magic: int) -> InstanceRecord:
        """Return the record of an instance; an empty one when it has not traded."""
        return self.instances.get(magic, _NOTHING)

    def day_loss(self, equity: Decimal) -> Decimal:
        """Return what the account lost since the start of the day; negative = won."""
        return self.day_start_equity - equity

    def instance_day_loss(self, magic: int, floating: Decimal) -> Decimal:
        """Return what an instance lost since the start of the day, realised and floating; negative = won."""
        known = self.instance(magic)
        return known.floating_at_day_start - floating - known.realised_today

    def _with(self, magic: int, record: InstanceRecord) -> Self:
        return self.model_copy(update={"instances": {**self.instances, magic: record}})
