"""Whether every secret that the configuration refers to can be fetched, and is kept from others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from atrader.configuration.cross_checks import FLEET_FILE, account_file
from atrader.configuration.fleet import Installation
from atrader.configuration.secrets import SecretRef
from atrader.errors import ConfigError
from manager.finding import Finding

_KEPT = {
    "env": "in the environment of this command; the manager needs it in its own",
    "file": "in a file that nobody else may read",
    "keyring": "in the keyring",
}


def examine_secrets(installation: Installation) -> Iterator[Finding]:
    """Fetch each secret once and forget it; the values are never shown."""
    for key, secret in _secrets(installation.fleet, f"{FLEET_FILE}:"):
        yield _examined(key, secret)
    for account in installation.accounts.values():
        if account.enabled:
            for key, secret in _secrets(account, f"{account_file(account.name)}:"):
                yield _examined(key, secret)


def _secrets(part: object, place: str) -> Iterator[tuple[str, SecretRef]]:
    if isinstance(part, SecretRef):
        yield place, part
    elif isinstance(part, BaseModel):
        for name, value in part:
            yield from _secrets(value, f"{place}{'' if place.endswith(':') else '.'}{name}")
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from _secrets(value, f"{place}.{name}")


def _examined(place: str, secret: SecretRef) -> Finding:
    try:
        secret.resolve()
    except ConfigError as error:
        return Finding("error", f"secret {place}", error.message, "put it there, or name another place")
    return Finding("ok", f"secret {place}", _KEPT[secret.kind])
