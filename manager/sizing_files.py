"""The risk that instances are configured with, and how another one gets into their files."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Final, NamedTuple

import tomlkit
from tomlkit.items import Table

from atrader.configuration.cross_checks import instance_file
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.risk import RiskLimits
from atrader.runtime.whole_file import write_whole
from worker.loading import load_strategy, make_strategy

PARAMETER: Final = "risk_frac"
_DIGITS: Final = 4


class Sized(NamedTuple):
    """An instance that is sized by risk.

    Attributes
    ----------
    config : InstanceConfig
        Of the instance.
    present_frac : Decimal or None
        Share of equity that a trade risks as its file has it; None: the strategy's own choice.
    most_frac : Decimal or None
        What ``trade.max_risk_frac`` allows.
    """

    config: InstanceConfig
    present_frac: Decimal | None
    most_frac: Decimal | None


def sized(installation: Installation, name: str) -> Sized:
    """Look an instance up.

    Raises
    ------
    ConfigError
        When it is not configured, or is not sized by risk.
    """
    config = installation.instances.get(name)
    if config is None:
        raise ConfigError(
            f"{name} is not configured (there is no {instance_file(name)}): leave it out by naming others"
        )
    kind = load_strategy(config.strategy, Path(installation.home))
    parameters = make_strategy(kind, config.parameters, instance_file(name)).parameters
    if PARAMETER not in kind.Parameters.model_fields:
        raise ConfigError(f"{instance_file(name)}: strategy {config.strategy!r} has no parameter {PARAMETER}")
    if getattr(parameters, "units", None) is not None:
        raise ConfigError(
            f"{instance_file(name)}: parameters.units: a fixed size takes no risk; write {PARAMETER} instead"
        )
    limits = RiskLimits.of(installation.accounts[config.account], config)
    return Sized(config, getattr(parameters, PARAMETER), limits.trade.max_risk_frac)


def rounded_down(risk_frac: float) -> Decimal:
    """Return a risk with four digits: never more than was shared out."""
    exact = Decimal(f"{risk_frac:.12g}")  # what comes after is noise of floating point
    return exact.quantize(Decimal(1).scaleb(exact.adjusted() - _DIGITS + 1), ROUND_DOWN).normalize()


def apply_risk(installation: Installation, risks: Mapping[str, Decimal]) -> list[Path]:
    """Write risks into strategy files, each whole or not at all; comments and everything else stay. May be repeated.

    Nothing is written before all values are known to be accepted by their strategies. The fleet takes them over with
    ``reload``.

    Raises
    ------
    ConfigError
        When a strategy does not take its value, or a file cannot be read or written; names the file. Files before it
        are written then.
    """
    texts = {name: _with_risk(installation, name, risk) for name, risk in risks.items()}
    written: list[Path] = []
    for name, text in texts.items():
        path = Path(installation.home) / instance_file(name)
        try:
            write_whole(path, text)
        except OSError as error:
            done = ", ".join(map(str, written)) or "nothing"
            raise ConfigError(f"{path}: cannot be written: {error}; written so far: {done}") from error
        written.append(path)
    return written


def _with_risk(installation: Installation, name: str, risk: Decimal) -> str:
    config, file = installation.instances[name], instance_file(name)
    kind = load_strategy(config.strategy, Path(installation.home))
    make_strategy(kind, {**config.parameters, PARAMETER: risk}, file)
    try:
        document = tomlkit.parse((Path(installation.home) / file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    table = document.setdefault("parameters", tomlkit.table())
    if not isinstance(table, Table):
        raise ConfigError(f"{file}: parameters: expected a table [parameters], to write {PARAMETER} into")
    table[PARAMETER] = tomlkit.value(f"{risk:f}")
    return tomlkit.dumps(document)
