"""Reads an installation's configuration and reports everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from atrader.configuration.account import AccountConfig
from atrader.configuration.base import Section
from atrader.configuration.cross_checks import (
    FLEET_FILE,
    account_file,
    fleet_problems,
    instance_file,
    reference_problems,
)
from atrader.configuration.files import FileMissing, FileProblem, read_toml
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.problems import problems_of
from atrader.errors import ConfigError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_Model = TypeVar("_Model", bound=Section)


def load_installation(home: Path) -> Installation:
    """Read ``etc/atrader.toml``, ``etc/accounts/*.toml`` and ``etc/strategies/*.toml``, and check them together.

    The name of an account or strategy is the name of its file. Hidden files are passed over.

    Parameters
    ----------
    home : Path
        The installation directory.

    Returns
    -------
    Installation
        Frozen; ``home`` is absolute, accounts and instances are sorted by name.

    Raises
    ------
    ConfigError
        With one line per problem, ``file: key: what is wrong``; ``details["problems"]`` lists them.
    """
    root = Path(home).absolute()
    problems: list[str] = []
    fleet = _read_fleet(root, problems)
    accounts, account_names = _read_folder(root, AccountConfig, "accounts", problems)
    instances, instance_names = _read_folder(root, InstanceConfig, "strategies", problems)
    problems += reference_problems(accounts, instances, account_names, instance_names)
    if fleet is not None:
        problems += fleet_problems(fleet, accounts, instances, account_names)
    if problems or fleet is None:
        raise _config_error(root, problems)
    return Installation(home=str(root), fleet=fleet, accounts=accounts, instances=instances)


def load_fleet(home: Path) -> FleetConfig:
    """Read ``etc/atrader.toml`` alone, for commands that need no more; without one everything is at its default.

    Raises
    ------
    ConfigError
        With one line per problem.
    """
    root = Path(home).absolute()
    if not (Home(root).etc / "atrader.toml").exists():
        return FleetConfig()
    problems: list[str] = []
    fleet = _read_fleet(root, problems)
    if fleet is None:
        raise _config_error(root, problems)
    return fleet


def _config_error(root: Path, problems: list[str]) -> ConfigError:
    what = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"  {problem}" for problem in problems)
    return ConfigError(f"{what} in the configuration of {root}:\n{lines}", details={"problems": problems})


def _read_fleet(root: Path, problems: list[str]) -> FleetConfig | None:
    data = _read(Home(root).etc / "atrader.toml", FLEET_FILE, problems)
    if data is None:
        return None
    instruments = data.get("instruments")
    if isinstance(instruments, dict):  # the key of the table is the symbol: nobody should write it twice
        for symbol, table in instruments.items():
            if isinstance(table, dict) and table.setdefault("symbol", symbol) != symbol:
                problems.append(f"{FLEET_FILE}: instruments.{symbol!r}.symbol: must be {symbol!r} or be left out")
    return _checked(FleetConfig, data, FLEET_FILE, problems)


def _read_folder(
    root: Path, model: type[_Model], folder: str, problems: list[str]
) -> tuple[dict[str, _Model], frozenset[str]]:
    """Read all files of a folder; the second value names also those that are wrong."""
    found: dict[str, _Model] = {}
    names: set[str] = set()
    for path in _files(Home(root).etc / folder, folder, problems):
        name = path.stem
        file = account_file(name) if folder == "accounts" else instance_file(name)
        names.add(name)
        if not _NAME.fullmatch(name):
            problems.append(f"{file}: rename it: up to 40 of a-z, 0-9, - and _, beginning with a letter or digit")
            continue
        data = _read(path, file, problems)
        if data is None:
            continue
        if data.setdefault("name", name) != name:
            problems.append(f"{file}: name: must be {name!r}, as the file is called, or be left out")
            continue
        entry = _checked(model, data, file, problems)
        if entry is not None:
            found[name] = entry
    return found, frozenset(names)


def _files(folder: Path, name: str, problems: list[str]) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except FileNotFoundError:
        return  # a fleet of a data layer only has no accounts
    except OSError as error:
        problems.append(f"etc/{name}: cannot be read: {error.strerror or error}")


def _read(path: Path, file: str, problems: list[str]) -> dict[str, object] | None:
    try:
        return read_toml(path)
    except FileMissing as problem:
        problems.append(f"{file}: {problem}; 'atrader-manager init DIR' makes an installation, -C DIR names it")
        return None
    except FileProblem as problem:
        problems.append(f"{file}: {problem}")
        return None


def _checked(model: type[_Model], data: Mapping[str, object], file: str, problems: list[str]) -> _Model | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems += [f"{file}: {problem}" for problem in problems_of(error, model, data)]
        return None
