"""How the orders of a run fill: what its file says, and what the command line says besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from atrader.configuration.backtest import BacktestSettings, entry_of, targets_of
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.problems import problems_of
from atrader.errors import ConfigError
from research.vector import CONVENTIONS, Rules, Target


def rules_for(configs: Sequence[InstanceConfig], said: Mapping[str, object]) -> Rules:
    """Return the rules of a run of some instances on one account.

    Parameters
    ----------
    said : Mapping of str to object
        What the command line says, by key of `BacktestSettings`; it wins over the file.

    Raises
    ------
    ConfigError
        When something of it is wrong, or several instances run of which one has such a table.
    """
    tables = [(config, config.backtest) for config in configs if config.backtest is not None]
    if tables and len(configs) > 1:
        raise ConfigError(
            f"{tables[0][0].name}: its table [backtest] is for a strategy alone on an account: run them --apart"
        )
    given = tables[0][1].model_dump(exclude_unset=True) if tables else {}
    if said.get("entry") == "market":
        given.pop("order_bars", None)  # of the entries that the file has wait
    merged = {**given, **said}
    try:
        return _rules(BacktestSettings.model_validate(merged))
    except ValidationError as error:
        problems = problems_of(error, BacktestSettings, merged)
        raise ConfigError("\n".join(_option(problem, said) for problem in problems)) from error


def _option(problem: str, said: Mapping[str, object]) -> str:
    """Name the option in place of the key, where the command line said it."""
    key, _, text = problem.partition(": ")
    return f"--{key.replace('_', '-')} {str(said[key])!r}: {text}" if key in said else f"backtest.{problem}"


def _rules(settings: BacktestSettings) -> Rules:
    named = CONVENTIONS[settings.convention]
    fill, inside = settings.fill or named.fill, settings.inside or named.inside
    convention = replace(
        named,
        fill=fill,
        inside=inside,
        protected_from=settings.stops_from or named.protected_from,
        # The order of stops and of orders that fill with the same open: without such orders there is none.
        stop_before_open=named.stop_before_open and (fill, inside) == ("next-open", "range"),
    )
    targets = tuple(Target(r, share) for r, share in targets_of(settings.targets))
    kind, away = entry_of(settings.entry)
    if settings.break_even_after and not targets:
        raise ConfigError("--break-even-after counts --targets: give them, such as --targets 1:0.5")
    if settings.order_bars and kind == "market":
        raise ConfigError("--order-bars is for entries that wait: give them, such as --entry limit:2")
    return Rules(
        convention=convention,
        order_type=kind,
        away_pips=away,
        order_bars=settings.order_bars,
        hold_bars=settings.hold_bars,
        most_trades=settings.most_trades,
        targets=targets,
        break_even_after=settings.break_even_after or 0,
    )
