"""The client of a gateway, for workers and commands; the manager calls gateways with the messages themselves."""

from broker_api.client.synchronous import BrokerClient

__all__ = ["BrokerClient"]
