"""Bars and quotes from and to CSV files. A bad row is named by file, line and reason; nothing else is lost."""

from data_layer.csv_files.bars import BarFile, join_sides, read_bars
from data_layer.csv_files.quotes import QuoteFile, read_quotes
from data_layer.csv_files.rows import BadRow
from data_layer.csv_files.writer import write_bars

__all__ = ["BadRow", "BarFile", "QuoteFile", "join_sides", "read_bars", "read_quotes", "write_bars"]
