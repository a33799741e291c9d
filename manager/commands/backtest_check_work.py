"""What ``atrader backtest check`` does."""

from __future__ import annotations

from typing import Final, NamedTuple

import click

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from manager.backtests.checking import check_request
from manager.backtests.request import Request, overrides_of, requests_of
from manager.commands.output import print_json
from manager.commands.progress import counting
from research.checking import TOLERANCE, Report

_MEANS: Final = {
    "looks-ahead": "looks ahead",
    "unfinished-bar": "unfinished longer bar",
    "history": "depends on its history",
    "memory": "forgets at a restart",
    "chance": "not repeatable",
}


class CheckWish(NamedTuple):
    """What the command line says."""

    what: tuple[str, ...]
    parameters: tuple[str, ...]
    instrument: str | None
    timeframe: str | None
    account: str | None
    bars: int
    period: tuple[int | None, int | None]
    as_json: bool


def run_checks(home: Home, wish: CheckWish) -> bool:
    """Check every strategy that is wished, and show what was found; return whether all passed.

    Raises
    ------
    AtraderError
        When one cannot be checked.
    """
    overrides = overrides_of(wish.instrument, wish.timeframe, wish.parameters, account=wish.account)
    installation = load_installation(home.root)
    requests = requests_of(wish.what, installation, overrides, period=wish.period, quotes=None, apart=True)
    reports = [(request, _checked(request, wish)) for request in requests]
    if wish.as_json:
        print_json([_as_json(request, report) for request, report in reports])
    else:
        for request, report in reports:
            _show(request, report)
    return all(report.passed for _, report in reports)


def _checked(request: Request, wish: CheckWish) -> Report:
    with counting(request.name, silent=wish.as_json) as progress:
        return check_request(request, wish.bars, progress)


def _as_json(request: Request, report: Report) -> dict[str, object]:
    (config,) = request.instances
    whose = config.model_dump(mode="json", include={"name", "strategy", "instrument", "timeframe", "parameters"})
    return {**whose, **report.as_json()}


def _show(request: Request, report: Report) -> None:
    (config,) = request.instances
    click.secho(f"{config.name}: {config.instrument} {config.timeframe}", bold=True)
    period = f"{iso_from_ns(report.first_ns)} to {iso_from_ns(report.last_ns)}"
    click.echo(f"  {report.bars:,} decisions looked at, {period}")
    if report.warmup_needed is not None:
        click.echo(
            f"  warm-up {report.warmup_bars} bars; from {report.warmup_needed} on nothing differs by {TOLERANCE:g}"
        )
    for finding in report.findings:
        click.secho(f"  {_MEANS[finding.kind]}: {finding.what}, {finding.bars} of {report.bars}", fg="red")
        click.echo(f"    {finding.text}")
    verdict, colour = ("passed", "green") if report.passed else (f"failed: {len(report.findings)} found", "red")
    click.secho(f"  {verdict}", fg=colour)
