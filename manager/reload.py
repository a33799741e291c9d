"""What a changed configuration asks for: a pure comparison of two installations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from atrader.configuration.fleet import Installation
from atrader.runtime.spec import ProcessKind
from manager.plan import Planned, plan

LIVE_FLEET_KEYS: Final = frozenset({"max_workers", "stop_grace"})
"""Keys of etc/atrader.toml that the manager itself reads at the moment it needs them."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do, by process name.

    Attributes
    ----------
    start, stop : tuple of str
        Processes that are new, or gone from the configuration.
    replace : tuple of str
        Workers to replace by a new one that waits until the old one is gone.
    restart : tuple of str
        Gateways to stop and start again.
    full_restart : tuple of str
        Keys of etc/atrader.toml that only a restart of the whole fleet brings into effect.
    """

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    full_restart: tuple[str, ...] = ()


def compare(old: Installation, new: Installation) -> Changes:
    """Return what turns the running `old` into `new`, touching only what changed."""
    before, after = plan(old), plan(new)
    changed = [name for name in after if name in before and _differs(before[name], old, new)]
    return Changes(
        start=tuple(name for name in after if name not in before),
        stop=tuple(name for name in before if name not in after),
        replace=tuple(name for name in changed if after[name].kind == "worker"),
        restart=tuple(name for name in changed if after[name].kind == "gateway"),
        full_restart=tuple(
            key
            for key in type(new.fleet).model_fields
            if key not in LIVE_FLEET_KEYS and getattr(old.fleet, key) != getattr(new.fleet, key)
        ),
    )


def _differs(process: Planned, old: Installation, new: Installation) -> bool:
    kind: ProcessKind = process.kind
    if kind == "worker":
        return old.instances[process.subject] != new.instances[process.subject]
    if kind == "gateway":
        return _account_view(old, process.subject) != _account_view(new, process.subject)
    return False  # all that the data layer reads is in the fleet's file


def _account_view(installation: Installation, account: str) -> object:
    """Return all that a gateway reads: its account, and limits and magic numbers of the instances on it."""
    instances = [
        (instance.name, instance.magic, instance.enabled, instance.trade, instance.limits, instance.on_down)
        for instance in installation.instances.values()
        if instance.account == account
    ]
    return installation.accounts[account], sorted(instances, key=lambda seen: seen[1])
