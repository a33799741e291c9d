"""A live context without a fleet around it: what a strategy wants waits on its desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.instance import InstanceConfig
from atrader.view import View
from broker_api.client import BrokerClient
from data_layer.client import DataClient
from worker.context import LiveContext
from worker.desk import Desk
from worker.outside import Outside


class Told:
    """What a strategy told, in order."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, float, dict[str, float]]] = []
        self.alerts: list[tuple[str, str]] = []

    def signal(
        self, name: str, value: float, indicators: Mapping[str, float], bar: str | None = None, number: int = 1
    ) -> None:
        self.signals.append((name, value, dict(indicators)))

    def alert(self, kind: str, text: str) -> None:
        self.alerts.append((kind, text))


def alone(config: InstanceConfig, clock: Clock, desk: Desk, view: View, told: Told | None = None) -> LiveContext:
    """Return a context that can ask nobody."""
    account = AccountConfig.model_validate({"name": config.account, "broker": "paper"})
    installation = Installation(
        home="/nowhere", fleet=FleetConfig(), accounts={account.name: account}, instances={config.name: config}
    )
    outside = Outside(installation, config, cast(DataClient, None), cast(BrokerClient, None), view)
    return LiveContext(config, clock, desk, view, told or Told(), outside, lambda: None)
