"""How all other parts reach the data layer."""

from data_layer.client.asynchronous import AsyncDataClient
from data_layer.client.frame import to_frame
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S
from data_layer.client.sync import DataClient

__all__ = ["BULK_TIMEOUT_S", "TIMEOUT_S", "AsyncDataClient", "DataClient", "to_frame"]
