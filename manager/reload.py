"""What a changed configuration asks for: a pure comparison of two installations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.messages.gateway import LIVE_ACCOUNT_KEYS
from atrader.price_accounts import PriceAccounts, has_prices
from manager.plan import account_held, holder_of, plan

LIVE_FLEET_KEYS: Final = frozenset({"max_workers", "stop_grace"})
"""Keys of etc/atrader.toml that the manager itself reads at the moment it needs them."""

_NOT_THE_WORKERS: Final = frozenset({"trade", "limits", "on_down", "on_down_after", "selection", "backtest"})
"""Keys of a strategy file that its worker never reads: gateway and manager do."""

_NOT_THE_GATEWAYS: Final = frozenset(
    {
        "strategy",
        "timeframe",
        "enabled",
        "warmup_bars",
        "parameters",
        "time_budget",
        "on_error",
        "max_errors",
        "process",
        "backtest",
    }
)
"""Keys of a strategy file that the gateway of its account never reads."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do, by process name.

    Attributes
    ----------
    start, stop : tuple of str
        Processes that are new, or gone from the configuration; and those between which the session of an account
        moves: who had it must be gone before the next takes it.
    replace : tuple of str
        Workers to replace by a new one that waits until the old one is gone.
    configure : tuple of str
        Accounts whose session takes limits and instances over while it runs.
    restart : tuple of str
        Gateways to stop and start again: what changed is what they, or the broker's adapter, were made with.
    full_restart : tuple of str
        Keys of etc/atrader.toml that only a restart of the whole fleet brings into effect.
    """

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    configure: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    full_restart: tuple[str, ...] = ()


def compare(old: Installation, new: Installation, edited: Collection[str] = ()) -> Changes:
    """Return what turns the running `old` into `new`, touching only what changed.

    Parameters
    ----------
    old, new : Installation
        What runs, and what was read.
    edited : collection of str
        Workers that run another content of their strategy file than it has now.
    """
    before, after = plan(old), plan(new)
    moved = _moved(old, new)
    both = [process for name, process in after.items() if name in before and name not in moved]
    held = {process.name: account_held(new, process.kind, process.subject) for process in both}
    remade = {name for name, account in held.items() if account is not None and _needs_new_gateway(old, new, account)}
    replaced = [
        process.name
        for process in both
        if process.kind == "worker"
        and (
            process.name in edited
            or process.name in remade
            or _differ(old.instances[process.subject], new.instances[process.subject], _NOT_THE_WORKERS)
        )
    ]
    return Changes(
        start=tuple(name for name in after if name not in before or name in moved),
        stop=tuple(name for name in before if name not in after or name in moved),
        replace=tuple(replaced),
        configure=tuple(
            account
            for name, account in held.items()
            if account is not None
            and not (name in remade or name in replaced)
            and _gateway_view(old, account) != _gateway_view(new, account)
        ),
        restart=tuple(process.name for process in both if process.kind == "gateway" and process.name in remade),
        full_restart=tuple(
            key
            for key in type(new.fleet).model_fields
            if key not in LIVE_FLEET_KEYS and getattr(old.fleet, key) != getattr(new.fleet, key)
        ),
    )


def _moved(old: Installation, new: Installation) -> set[str]:
    """Name the processes that lose the session of an account to another one, or get it from another one."""
    moved: set[str] = set()
    for account in old.accounts.keys() & new.accounts.keys():
        pair = holder_of(old, account), holder_of(new, account)
        if pair[0] != pair[1]:
            moved.update(name for name in pair if name is not None)
    return moved


def _differ(one: BaseModel, other: BaseModel, ignored: Collection[str]) -> bool:
    return _view(one, ignored) != _view(other, ignored)


def _view(model: BaseModel, ignored: Collection[str]) -> dict[str, object]:
    return {key: value for key, value in model if key not in ignored}


def _needs_new_gateway(old: Installation, new: Installation, account: str) -> bool:
    """Tell whether the account changed beyond what a gateway takes over, or trades an instrument it never asked for."""
    if _differ(old.accounts[account], new.accounts[account], LIVE_ACCOUNT_KEYS):
        return True
    if has_prices(new.accounts[account]):
        return False  # its broker has told all that it has
    known = {*old.fleet.market.instruments, *(instance.instrument for instance in _on(old, account))}
    return any(instance.instrument not in known for instance in _on(new, account))


def _gateway_view(installation: Installation, account: str) -> object:
    """Return what a gateway takes over while it runs."""
    settings = {key: getattr(installation.accounts[account], key) for key in LIVE_ACCOUNT_KEYS}
    instances = [(_view(item, _NOT_THE_GATEWAYS), _trade_keys(item)) for item in _on(installation, account)]
    return settings, instances, PriceAccounts.of(installation).brought_by(account)


def _trade_keys(instance: InstanceConfig) -> set[str]:
    """Return what an instance overrides of the account's [trade]: a default written out does so as well."""
    return set() if instance.trade is None else instance.trade.model_fields_set


def _on(installation: Installation, account: str) -> list[InstanceConfig]:
    return [instance for _, instance in sorted(installation.instances.items()) if instance.account == account]
