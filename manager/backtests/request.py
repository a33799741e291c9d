"""What a backtest is to run: the words of a command line, or the files of an installation, as configuration."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, count
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from atrader.configuration.account import AccountConfig
from atrader.configuration.files import FileProblem, read_toml
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.problems import did_you_mean, problems_of
from atrader.errors import ConfigError
from atrader.timeframes import Timeframe
from manager.backtests.filling import rules_for
from research.events.plan import SignalsOver
from research.vector import Rules
from research.vectorised import without_limits
from worker.strategies import BUILT_IN

ONE_PROCESS_EACH: Final = "asirikuy"
"""A strategy that takes a process of its own: the library it loads holds the state of one instance."""


Engine = Literal["vector", "events"]

MAX_GAP_S: Final = 86_400.0
"""A day: a quiet market and a broker's holiday have shorter gaps, a file that was forgotten a longer one."""

_LONGEST_NAME: Final = 36

_BALANCE: Final = "a positive amount, at most 1e12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line says about every strategy it names; None: what the file says.

    Attributes
    ----------
    slippage : str, optional
        At most, pips.
    parameters : Mapping of str to object
        By name; they win over those of the file.
    """

    instrument: str | None = None
    timeframe: str | None = None
    account: str | None = None
    balance: str | None = None
    slippage: str | None = None
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run: instances on one account over a period.

    Attributes
    ----------
    root : str
        The installation, absolute.
    quotes : str or None
        Timeframe of the bars whose quotes are played, ``ticks`` for stored quotes; None: the finest bars there are.
    max_gap_s : float
        So much market time in a row may be without bars.
    signals : SignalsOver
        How those of signal strategies are computed.
    engine : Engine, optional
        Which one; None: the vector engine where it does the same to the digit, else the event engine.
    rules : Rules
        How orders fill; others than the paper account's are known to the vector engine alone.
    """

    root: str
    account: AccountConfig
    instances: tuple[InstanceConfig, ...]
    start_ns: int | None
    end_ns: int | None
    quotes: str | None
    max_gap_s: float = MAX_GAP_S
    signals: SignalsOver = "once"
    engine: Engine | None = None
    rules: Rules = field(default_factory=Rules)

    @property
    def name(self) -> str:
        """What people call it."""
        return "+".join(item.name for item in self.instances)


def parse_parameters(texts: Sequence[str]) -> dict[str, object]:
    """Read ``NAME=VALUE`` texts; a value is TOML (``20``, ``2.5``, ``true``, ``[1, 2]``), else a text.

    Raises
    ------
    ConfigError
        When there is no ``=`` or no name, or a name comes twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name:
            raise ConfigError(f"--param {text!r}: expected NAME=VALUE, such as fast=20")
        if name in given:
            raise ConfigError(f"--param {name}: given twice, as {given[name]!r} and as {value!r}")
        given[name] = value
    return {name: _value_of(value) for name, value in given.items()}


def _value_of(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text


def overrides_of(
    instrument: str | None,
    timeframe: str | None,
    parameters: Sequence[str],
    *,
    account: str | None = None,
    balance: str | None = None,
    slippage: str | None = None,
) -> Overrides:
    """Read what a command line says about the strategies it names.

    Raises
    ------
    ConfigError
        When a timeframe is none, or a parameter is no ``NAME=VALUE``.
    """
    return Overrides(
        instrument=instrument,
        timeframe=None if timeframe is None else Timeframe.given(timeframe).name,
        account=account,
        balance=balance,
        slippage=slippage,
        parameters=parse_parameters(parameters),
    )


def requests_of(
    whats: Sequence[str],
    installation: Installation,
    overrides: Overrides,
    *,
    period: tuple[int | None, int | None],
    quotes: str | None,
    apart: bool,
    max_gap_s: float = MAX_GAP_S,
    signals: SignalsOver = "once",
    engine: Engine | None = None,
    filling: Mapping[str, object] | None = None,
    unlimited: bool = False,
) -> list[Request]:
    """Return the runs that some words mean: one for each account, or with ``apart`` one for each word.

    Parameters
    ----------
    whats : sequence of str
        A configured instance, a strategy file (``.toml``), or a strategy as configuration names it.
    filling : Mapping of str to object, optional
        What the command line says of how orders fill, by key of the table [backtest]; it wins over the file's.
    unlimited : bool
        Leave limits, chance and selection out (`without_limits`).

    Raises
    ------
    ConfigError
        When a word means nothing, or its configuration is wrong.
    """
    chosen: list[InstanceConfig] = []
    for what in whats:
        chosen.append(_instance_of(what, [one.name for one in chosen], installation, overrides))
    if not apart:
        _check_together(chosen)
    groups: dict[str, list[InstanceConfig]] = {}
    for number, config in enumerate(chosen):
        groups.setdefault(f"{number}" if apart else config.account, []).append(config)
    found = []
    for configs in groups.values():
        account = _account_of(configs[0].account, installation, overrides)
        if unlimited:
            freed = [without_limits(account, config) for config in configs]
            account, configs = freed[0][0], [config for _, config in freed]
        found.append(
            Request(
                root=installation.home,
                account=account,
                instances=tuple(configs),
                start_ns=period[0],
                end_ns=period[1],
                quotes=quotes,
                max_gap_s=max_gap_s,
                signals=signals,
                engine=engine,
                rules=rules_for(configs, filling or {}),
            )
        )
    return found


def _instance_of(what: str, before: Sequence[str], installation: Installation, overrides: Overrides) -> InstanceConfig:
    """Return what a word means; a strategy that is no instance gets a name that those before it do not have."""
    configured = installation.instances.get(what)
    if configured is not None:
        values = configured.model_dump(exclude_unset=True)
        return _checked(values, overrides, f"etc/strategies/{what}.toml")
    if what.endswith(".toml"):
        try:
            values = read_toml(Path(what))
        except FileProblem as problem:
            raise ConfigError(f"{what}: {problem}") from problem
        return _checked({"name": Path(what).stem, **values}, overrides, what)
    wanted = {"--instrument EUR/USD": overrides.instrument, "--timeframe 1h": overrides.timeframe}
    missing = " ".join(option for option, value in wanted.items() if value is None)
    if missing and (what in BUILT_IN or ":" in what):
        raise ConfigError(f"{what}: say what it is to run on, such as {missing}")
    if missing:
        known = f"; there are: {', '.join(installation.instances)}" if installation.instances else ""
        raise ConfigError(
            f"{what!r} is no .toml file and no configured instance{did_you_mean(what, installation.instances)}{known}."
            " To run it as a strategy, say on what: --instrument EUR/USD --timeframe 1h"
        )
    name = _short_name(what.rpartition(":")[2])
    account = overrides.account or _only_account(name, installation)
    values = {
        "name": next(one for one in chain([name], (f"{name}-{n}" for n in count(2))) if one not in before),
        "strategy": what,
        "magic": len(before) + 1,
        "account": account,
    }
    return _checked(values, overrides, what)


def _short_name(strategy: str) -> str:
    """Return the name of a strategy as one that instances may have, with room for a number behind it."""
    return re.sub("[^a-z0-9]+", "-", strategy.lower()).strip("-")[:_LONGEST_NAME].rstrip("-") or "strategy"


def _only_account(name: str, installation: Installation) -> str:
    accounts = list(installation.accounts) or ["paper"]
    if len(accounts) > 1:
        raise ConfigError(f"{name}: which account? There are {', '.join(accounts)}: --account {accounts[0]}")
    return accounts[0]


def _checked(values: Mapping[str, object], overrides: Overrides, file: str) -> InstanceConfig:
    merged = dict(values)
    for key in ("instrument", "timeframe", "account"):
        merged[key] = getattr(overrides, key) or merged.get(key)
    given = merged.get("parameters")
    merged["parameters"] = {**(given if isinstance(given, dict) else {}), **overrides.parameters}
    merged = {key: value for key, value in merged.items() if value is not None}
    try:
        return InstanceConfig.model_validate(merged)
    except ValidationError as error:
        problems = problems_of(error, InstanceConfig, merged)
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems)) from error


def _account_of(name: str, installation: Installation, overrides: Overrides) -> AccountConfig:
    """Return the account as paper: its currency, limits and ``[paper]`` table say what a backtest has to know."""
    found = installation.accounts.get(name)
    if found is None and (overrides.account is not None or name != "paper"):
        known = ", ".join(installation.accounts) or "none"
        raise ConfigError(f"no account {name!r} is configured in etc/accounts; there are: {known}")
    account = found or AccountConfig(name="paper", broker="paper")
    account = _with_paper(account, "initial_balance", overrides.balance, "--balance", _BALANCE)
    return _with_paper(account, "slippage_pips", overrides.slippage, "--slippage", "pips, 0 or more")


def _with_paper(account: AccountConfig, key: str, value: str | None, option: str, expected: str) -> AccountConfig:
    """Return an account with another value of its [paper] table, if there is one."""
    if value is None:
        return account
    try:
        paper = account.paper.model_validate({**account.paper.model_dump(), key: value})
    except ValidationError as error:
        raise ConfigError(f"{option} {value!r}: expected {expected}") from error
    return account.model_copy(update={"paper": paper})


def _check_together(configs: Sequence[InstanceConfig]) -> None:
    for key in ("magic", "name"):
        values = [str(getattr(item, key)) for item in configs]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ConfigError(f"two strategies have the {key} {twice}: give each its own, or run them --apart")
    if len(configs) > 1 and any(item.strategy == ONE_PROCESS_EACH for item in configs):
        raise ConfigError(f"the library of {ONE_PROCESS_EACH!r} serves one instance in a process: run them --apart")
