"""Clients of a gateway: for workers (plain loops) and for the manager (asyncio)."""

from broker_api.client.asynchronous import AsyncBrokerClient
from broker_api.client.synchronous import BrokerClient

__all__ = ["AsyncBrokerClient", "BrokerClient"]
