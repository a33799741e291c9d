"""What trades were worth: pure figures from rows of the history; docs/statistics.md has every definition."""

from data_layer.statistics.report import report
from data_layer.statistics.trades import TradeColumns, columns_of

__all__ = ["TradeColumns", "columns_of", "report"]
