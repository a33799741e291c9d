"""Our folder names are common words: make sure that the modules imported under them are ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from atrader.errors import ConfigError

DISTRIBUTION: Final = "atrader-platform"
FOLDERS: Final = ("atrader", "data_layer", "broker_api", "framework_bridge", "worker", "research", "manager")


def check_ownership(modules: Mapping[str, ModuleType]) -> None:
    """Check the top-level modules among `modules` (normally ``sys.modules``).

    Raises
    ------
    ConfigError
        When another distribution's module took the name of one of ours.
    """
    for name in FOLDERS:
        module = modules.get(name)
        if module is not None and getattr(module, "__distribution__", None) != DISTRIBUTION:
            where = getattr(module, "__file__", None) or "an unknown place"
            raise ConfigError(
                f"module {name!r} comes from {where} and is not atrader's: another package of that name is installed"
                f" over or before {DISTRIBUTION}; install atrader into an environment of its own",
                details={"module": name, "file": where},
            )
