"""Bars: built from quotes, and longer ones from shorter ones."""

from data_layer.bars.aggregation import IncrementalAggregator, aggregate, complete, divides, newest_of
from data_layer.bars.builder import BarBuilder
from data_layer.bars.coverage import coverage_of
from data_layer.bars.gaps import Gap, find_gaps
from data_layer.bars.library import BarLibrary, BarReader, Missing
from data_layer.bars.overlay import Overlay

__all__ = [
    "BarBuilder",
    "BarLibrary",
    "BarReader",
    "Gap",
    "IncrementalAggregator",
    "Missing",
    "Overlay",
    "aggregate",
    "complete",
    "coverage_of",
    "divides",
    "find_gaps",
    "newest_of",
]
