"""Which processes an installation needs, and what each of them needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig, ProcessLimits
from atrader.runtime.spec import ProcessKind, gateway_name, worker_name

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


def holder_of(installation: Installation, account: str) -> str | None:
    """Name the process that holds the session of an account: its gateway, or the worker of the only instance on it."""
    config = installation.accounts.get(account)
    if config is None or not config.enabled:
        return None
    if config.session == "gateway":
        return gateway_name(account)
    on_it = (item.name for item in installation.instances.values() if item.account == account and item.enabled)
    return next(map(worker_name, on_it), None)


def account_held(installation: Installation, kind: ProcessKind, subject: str) -> str | None:
    """Name the account whose session a process holds; None when it holds none."""
    if kind == "gateway":
        return subject
    instance = installation.instances.get(subject) if kind == "worker" else None
    if instance is None or holder_of(installation, instance.account) != worker_name(subject):
        return None
    return instance.account


def plan(installation: Installation) -> dict[str, Planned]:
    """Return all processes by name, in start order."""
    fleet = installation.fleet
    found = [Planned(DATA_LAYER, "data-layer", DATA_LAYER, (), fleet.process)]
    found += [
        Planned(gateway_name(account.name), "gateway", account.name, (DATA_LAYER,), fleet.process)
        for account in installation.accounts.values()
        if account.enabled and account.session == "gateway"
    ]
    found += [
        Planned(
            worker_name(instance.name),
            "worker",
            instance.name,
            _needs_of_worker(installation, instance),
            instance.process,
        )
        for instance in installation.instances.values()
        if instance.enabled
    ]
    return {process.name: process for process in found}


def _needs_of_worker(installation: Installation, instance: InstanceConfig) -> tuple[str, ...]:
    account = installation.accounts.get(instance.account)
    if account is not None and account.session == "worker":
        return (DATA_LAYER,)
    return DATA_LAYER, gateway_name(instance.account)
