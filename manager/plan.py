"""Which processes an installation needs, and what each of them needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from atrader.configuration.fleet import Installation
from atrader.configuration.instance import ProcessLimits
from atrader.runtime.spec import ProcessKind

DATA_LAYER: Final = "data-layer"

STOP_RANKS: Final[tuple[tuple[ProcessKind, float], ...]] = (("worker", 0.5), ("gateway", 0.8), ("data-layer", 1.0))
"""The order of stopping, and by which share of the fleet's ``stop_grace`` each kind must be gone."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One process that the configuration asks for."""

    name: str
    kind: ProcessKind
    subject: str
    needs: tuple[str, ...]
    limits: ProcessLimits


def gateway_name(account: str) -> str:
    """Process name of an account's gateway."""
    return f"gateway-{account}"


def worker_name(instance: str) -> str:
    """Process name of an instance's worker."""
    return f"worker-{instance}"


def plan(installation: Installation) -> dict[str, Planned]:
    """Return all processes by name, in start order."""
    fleet = installation.fleet
    found = [Planned(DATA_LAYER, "data-layer", DATA_LAYER, (), fleet.process)]
    found += [
        Planned(gateway_name(account.name), "gateway", account.name, (DATA_LAYER,), fleet.process)
        for account in installation.accounts.values()
        if account.enabled
    ]
    found += [
        Planned(
            worker_name(instance.name),
            "worker",
            instance.name,
            (DATA_LAYER, gateway_name(instance.account)),
            instance.process,
        )
        for instance in installation.instances.values()
        if instance.enabled
    ]
    return {process.name: process for process in found}
