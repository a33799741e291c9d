"""Rows of the history that are old: moved to Parquet files, and read from there."""

from data_layer.archive.archiver import Archiver, limits_of
from data_layer.archive.view import HistoryView

__all__ = ["Archiver", "HistoryView", "limits_of"]
