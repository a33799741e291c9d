"""How all other parts reach the data layer."""

from data_layer.client.address import DataAddress
from data_layer.client.asynchronous import AsyncDataClient
from data_layer.client.frame import to_frame
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S
from data_layer.client.sync import DataClient
from data_layer.shared import LastPrice

__all__ = ["BULK_TIMEOUT_S", "TIMEOUT_S", "AsyncDataClient", "DataAddress", "DataClient", "LastPrice", "to_frame"]
