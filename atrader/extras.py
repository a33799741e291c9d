"""Packages that only some parts need: imported when they are used, missed with the command that installs them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from atrader.errors import ConfigError


def imported(name: str, extra: str, what_for: str) -> ModuleType:
    """Import a module of a package that an extra of ours installs.

    Parameters
    ----------
    name : str
        Dotted name of the module.
    extra : str
        Extra of ``atrader-platform``.
    what_for : str
        Begin of the error, such as ``"PNG files need Pillow"``.

    Raises
    ------
    ConfigError
        When it is not installed; says how to.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"{what_for}: pip install 'atrader-platform[{extra}]'") from error
