"""``atrader optimise``: a search for parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from manager.commands.completing import tried_strategies
from manager.commands.engine_options import engine_option, unlimited_option
from manager.commands.installed import home_of
from manager.commands.judging import judging_of, judging_options
from manager.commands.output import json_option
from manager.commands.periods import duration_s, end_option, max_gap_option, period_ns, start_option
from manager.commands.run_options import (
    account_option,
    balance_option,
    instrument_option,
    quotes_option,
    results_option,
    timeframe_option,
)

_METHODS = ("grid", "random", "tpe", "nsga2")
_AIMS = ("sharpe", "return", "drawdown")  # as research.optimisation.figures has them, which imports numpy


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Any other --NAME VALUES is a parameter of the strategy and what to try for it: 5,10,15 or 5:50:5 (in steps)"
    " or 1.5:3.0 (any number between, not for a grid) or auto (the range the strategy declares).",
)
@click.argument(
    "what",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="STRATEGY [--NAME VALUES]...",
    shell_complete=tried_strategies,
)
@click.option(
    "--vary", multiple=True, metavar="NAME=VALUES", help="The same for a parameter that is called as an option."
)
@click.option(
    "--constraint", "constraints", multiple=True, metavar="CONDITION", help="Such as 'fast < slow'; repeatable."
)
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter that stays; repeatable.")
@instrument_option
@timeframe_option
@account_option
@balance_option
@start_option
@end_option
@max_gap_option
@quotes_option
@engine_option
@unlimited_option
@judging_options("0.7")
@click.option("--method", type=click.Choice(_METHODS), default="grid", show_default=True, help="How sets are chosen.")
@click.option("--trials", type=click.IntRange(1), help="Sets to try; a grid tries all.")
@click.option("--aim", "aims", type=click.Choice(_AIMS), multiple=True, help="Of tpe and nsga2; nsga2 takes several.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is left to chance.")
@click.option(
    "--processes", "--workers", "processes", type=click.IntRange(1), help="At once; default: one per processor."
)
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this search, as it was begun.")
@results_option
@json_option
@click.pass_obj
def optimise(
    directory: Path,
    /,
    what: tuple[str, ...],
    vary: tuple[str, ...],
    start: str | None,
    end: str | None,
    max_gap: str,
    processes: int | None,
    resume: Path | None,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Try sets of a strategy's parameters over stored bars, and say which of them held on days they were not chosen on.

    STRATEGY is a configured instance, a strategy file (.toml), a built-in strategy, or a class as configuration names
    it. A search that was killed goes on with --resume. 'atrader analyse' shows its findings again.
    """
    from manager.commands.optimise_work import go_on, run_search  # numpy: not for --help and completion
    from manager.searches.wish import SearchWish

    home = home_of(directory)
    if resume is not None:
        _check_alone(what, vary)
        go_on(home, resume, processes, as_json=as_json)
        return
    strategy, varied = _split_words(what)
    period = period_ns(start, end)
    judging = judging_of(options)
    wish = SearchWish(
        what=strategy,
        vary=_once([*varied, *(_name_and_values(text) for text in vary)]),
        start_ns=period[0],
        end_ns=period[1],
        max_gap_s=duration_s(max_gap, "--max-gap"),
        judging=judging,
        **{**options, "aims": options["aims"] or _AIMS[:1]},
    )
    run_search(home, wish, out or home.root / "results", processes, as_json=as_json)


def _split_words(words: tuple[str, ...]) -> tuple[str, list[tuple[str, str]]]:
    """Tell the strategy from the parameters among the words that are no options of ours."""
    strategies, varied, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            strategies.append(word)
            continue
        name, sign, values = word[2:].partition("=")
        if not sign:
            if not left or left[0].startswith("--"):
                raise click.UsageError(f"{word}: no such option, or a parameter without values such as {word} 5,10,15")
            values = left.pop(0)
        varied.append((name, values))
    if len(strategies) != 1:
        given = ", ".join(strategies) or "none"
        raise click.UsageError(f"one STRATEGY is searched at a time, given: {given}")
    return strategies[0], varied


def _once(varied: list[tuple[str, str]]) -> dict[str, str]:
    """Return values by name; what is given as ``--NAME`` and by ``--vary`` is given twice."""
    found: dict[str, str] = {}
    for name, values in varied:
        if name in found:
            raise click.UsageError(f"--{name} is given twice: put all its values behind one")
        found[name] = values
    return found


def _name_and_values(text: str) -> tuple[str, str]:
    name, sign, values = text.partition("=")
    if not sign or not name.strip():
        raise click.BadParameter(f"{text!r}: expected NAME=VALUES, such as fast=5,10,15", param_hint="--vary")
    return name.strip(), values


def _check_alone(what: tuple[str, ...], vary: tuple[str, ...]) -> None:
    if what or vary:
        raise click.UsageError("--resume goes on with a search as it was begun: name no strategy and no parameters")
