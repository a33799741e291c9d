"""Last prices and bars in memory that readers on this host map, read only and without a copy."""

from data_layer.shared.bar_reader import BarReader
from data_layer.shared.bar_writer import BarShare, Begun
from data_layer.shared.layout import SUPPORTED, LastPrice, NotShared
from data_layer.shared.price_reader import PriceReader
from data_layer.shared.price_writer import PriceTable

__all__ = ["SUPPORTED", "BarReader", "BarShare", "Begun", "LastPrice", "NotShared", "PriceReader", "PriceTable"]
