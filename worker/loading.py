"""From a name in the configuration to a strategy class."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from atrader.configuration.problems import did_you_mean, problems_of
from atrader.errors import ConfigError
from atrader.strategy import EventStrategy, SignalStrategy, Strategy
from worker.strategies import BUILT_IN


def _module_of_file(path: Path) -> ModuleType:
    name = f"atrader_user_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"strategy file {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic and pickle look classes up by module name
    spec.loader.exec_module(module)
    return module


def load_strategy(reference: str, home: Path) -> type[Strategy]:
    """Find the strategy class a configuration names.

    Parameters
    ----------
    reference : str
        Built-in name (``sma-cross``), ``package.module:Class``, or ``strategies/file.py:Class`` relative to the
        installation directory.
    home : Path
        Installation directory.

    Raises
    ------
    ConfigError
        When there is no such module or class, when importing it fails, or when it is no strategy.
    """
    target = BUILT_IN.get(reference, reference)
    place, _, class_name = target.partition(":")
    if not class_name:
        known = ", ".join(sorted(BUILT_IN))
        raise ConfigError(
            f"strategy {reference!r} is neither built in ({known}) nor of the form 'package.module:Class' "
            f"or 'strategies/file.py:Class'{did_you_mean(reference, BUILT_IN)}"
        )
    if place.endswith(".py") and not (home / place).is_file():
        raise ConfigError(f"strategy {reference!r}: there is no file {home / place}")
    try:
        module = _module_of_file(home / place) if place.endswith(".py") else importlib.import_module(place)
    except ConfigError:
        raise
    except Exception as error:  # a user's module may fail in any way while it is imported
        is_unknown = isinstance(error, ModuleNotFoundError) and place.partition(".")[0] == error.name
        hint = "; a file of the installation is named as 'strategies/file.py:Class'" if is_unknown else ""
        raise ConfigError(
            f"strategy {reference!r} cannot be imported: {type(error).__name__}: {error}{hint}"
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, (EventStrategy, SignalStrategy))):
        raise ConfigError(f"{class_name!r} in {place!r} is no SignalStrategy or EventStrategy")
    return found


def make_strategy(kind: type[Strategy], parameters: Mapping[str, object], source: str) -> Strategy:
    """Build a strategy from its configured parameters.

    Raises
    ------
    ConfigError
        When a parameter is unknown or out of range; names the file and the key.
    """
    try:
        return kind(kind.Parameters.model_validate(dict(parameters)))
    except ValidationError as error:
        problems = problems_of(error, kind.Parameters, parameters, table="parameters")
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems)) from error
