"""What trades were worth: pure figures from rows of the history; docs/statistics.md has every definition."""

from atrader.statistics.report import EquityColumns, report, report_of
from atrader.statistics.trades import TradeColumns, columns_of

__all__ = ["EquityColumns", "TradeColumns", "columns_of", "report", "report_of"]
