"""The risk day of the account, kept in the journal so that a restart does not begin a new one."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atrader.orders.model import Fill, Trade
from atrader.risk import InstanceRecord, RiskDay
from atrader.valuation import Worth
from broker_api.journal import Batch, Journal

_DAY: Final = "risk-day"
_INSTANCE: Final = "risk-instance:"


class DayKeeper:
    """Counts what limits are measured from.

    Reference points and each instance's record are rows of their own: a fill changes one small row.

    Parameters
    ----------
    calendar : str
        Calendar whose day boundary starts the risk day.
    journal : Journal
        Where it is kept; read at once.
    """

    def __init__(self, calendar: str, journal: Journal) -> None:
        self._calendar = calendar
        self.day: RiskDay | None = None
        stored = journal.read.meta(_DAY)
        if stored is not None:
            day = RiskDay.model_validate_json(stored)
            records = {
                int(magic): InstanceRecord.model_validate_json(value)
                for magic, value in journal.read.meta_under(_INSTANCE)
            }
            # Another calendar from now on: its first boundary starts the next day.
            self.day = day.model_copy(update={"instances": records, "calendar": calendar})

    def value(self, now_ns: int, worth: Worth, quoted_ns: int | None, batch: Batch) -> RiskDay:
        """Work a valuation in, starting a new day when the calendar says so; what changed goes into the batch.

        While own trades cannot be valued nothing is worked in. A new day needs a quote (of ``quoted_ns``) in it as
        well as the clock: a clock that jumped ahead and came back would else leave the risk day in tomorrow.
        """
        balance, equity = worth.balance, worth.equity
        if worth.unvalued:
            return self.day or RiskDay.begin(self._calendar, now_ns, balance, equity)
        if self.day is None:
            self.day = RiskDay.begin(self._calendar, now_ns, balance, equity)
            self._note_day(batch)
            return self.day
        rolled = self.day.roll(min(now_ns, quoted_ns or 0), balance, equity, worth.floating)
        if rolled is not self.day:
            new_day = rolled.day_start_ns != self.day.day_start_ns
            self.day = rolled
            self._note_day(batch)
            for magic in rolled.instances if new_day else ():
                self._note_instance(magic, batch)
        return rolled

    def fill(self, fill: Fill, batch: Batch) -> None:
        """Count a fill with its profit."""
        if self.day is not None:
            self._take(self.day.filled(fill), fill.magic, batch)

    def booked(self, magic: int, amount: Decimal, batch: Batch) -> None:
        """Count financing."""
        if self.day is not None:
            self._take(self.day.booked(magic, amount), magic, batch)

    def closed(self, trade: Trade, batch: Batch) -> None:
        """Count a closed trade as won or lost."""
        if self.day is not None:
            self._take(self.day.closed(trade), trade.magic, batch)

    def _take(self, day: RiskDay, magic: int, batch: Batch) -> None:
        if day is not self.day:
            self.day = day
            self._note_instance(magic, batch)

    def _note_day(self, batch: Batch) -> None:
        if self.day is not None:
            batch.meta(_DAY, self.day.model_dump_json(exclude={"instances"}))

    def _note_instance(self, magic: int, batch: Batch) -> None:
        if self.day is not None:
            batch.meta(f"{_INSTANCE}{magic}", self.day.instance(magic).model_dump_json())
