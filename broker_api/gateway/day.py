"""The risk day of the account, kept in the journal so that a restart does not begin a new one."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atrader.orders.model import Fill, Trade
from atrader.risk import InstanceRecord, RiskDay
from atrader.valuation import Worth, day_after
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
        """Work a valuation in (`atrader.valuation.day_after`); what changed goes into the batch."""
        before = self.day
        after, is_kept = day_after(before, self._calendar, worth, now_ns, quoted_ns)
        if is_kept and after is not before:
            self.day = after
            self._note_day(batch)
            if before is not None and after.day_start_ns != before.day_start_ns:
                for magic in after.instances:
                    self._note_instance(magic, batch)
        return after

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
