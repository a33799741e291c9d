"""What ``atrader backtest`` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import AtraderError, ConfigError
from atrader.timeframes import Timeframe
from manager.backtests.comparing import check_comparable
from manager.backtests.loading import TICKS
from manager.backtests.request import Request, overrides_of, requests_of
from manager.backtests.running import Outcome, run_all, summary_of
from manager.commands.history_statistics import print_statistics
from manager.commands.output import print_json
from research.reports import Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line says."""

    what: tuple[str, ...]
    parameters: tuple[str, ...]
    instrument: str | None
    timeframe: str | None
    account: str | None
    balance: str | None
    period: tuple[int | None, int | None]
    quotes: str | None
    max_gap_s: float
    apart: bool
    processes: int | None
    ctester: Path | None
    out: Path
    as_json: bool


def run_backtest(home: Home, wish: Wish) -> None:
    """Run what is wished and show what came of it.

    Raises
    ------
    AtraderError
        The first error, after everything else was run and shown.
    """
    requests = _requests(home, wish)
    tester = None if wish.ctester is None else wish.ctester.resolve()
    if tester is not None:
        check_comparable(requests)
    outcomes: list[Outcome] = []
    with _progress(requests, silent=wish.as_json) as bar:
        run_all(
            requests,
            wish.out,
            wish.processes or os.cpu_count() or 1,
            bar.step,
            lambda one: _over(one, outcomes, bar),
            tester,
        )
    outcomes.sort(key=lambda outcome: requests.index(outcome.request))
    if wish.as_json:
        print_json([summary_of(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            if outcome.saved is not None:
                _show(outcome.saved)
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed:
        raise _first(failed)


def _requests(home: Home, wish: Wish) -> list[Request]:
    overrides = overrides_of(
        wish.instrument, wish.timeframe, wish.parameters, account=wish.account, balance=wish.balance
    )
    try:
        quotes = wish.quotes if wish.quotes in (None, TICKS) else Timeframe.parse(wish.quotes).name
    except ValueError as error:
        raise ConfigError(str(error)) from error
    installation = load_installation(home.root)
    return requests_of(
        wish.what,
        installation,
        overrides,
        period=wish.period,
        quotes=quotes,
        apart=wish.apart,
        max_gap_s=wish.max_gap_s,
    )


def _first(errors: list[AtraderError]) -> AtraderError:
    for error in errors[1:]:
        click.secho(f"error: {error.message}", fg="red", err=True)
    return errors[0]


class _Bar:
    """Progress on a terminal: steps of the run that is here, or runs that are over."""

    def __init__(self, progress: Progress, requests: list[Request]) -> None:
        self._progress = progress
        self._task = progress.add_task(requests[0].name, total=None if len(requests) == 1 else len(requests))
        self._many = len(requests) > 1

    def step(self, _number: int, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def over(self, request: Request) -> None:
        if self._many:
            self._progress.update(self._task, advance=1, description=request.name)


def _over(outcome: Outcome, outcomes: list[Outcome], bar: _Bar) -> None:
    outcomes.append(outcome)
    bar.over(outcome.request)


@contextmanager
def _progress(requests: list[Request], *, silent: bool) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = silent or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as progress:
        yield _Bar(progress, requests)


def _show(saved: Saved) -> None:
    """Print what a person wants to know first."""
    summary = saved.summary
    currency = summary["account"]["currency"]
    click.secho(f"{summary['name']}: {summary['start']} to {summary['end']}", bold=True)
    click.echo(
        f"  {float(summary['initial_balance']):,.2f} -> {summary['final_balance']:,.2f} {currency},"
        f" {summary['final_equity']:,.2f} with what is open"
    )
    bars = sum(summary["bars"].values())
    click.echo(f"  {bars:,} bars in {summary['took_s']:.2f} s ({summary['bars_per_s'] or 0:,} bars/s)")
    for name, counts in (("refused", summary["refused"]), ("exceptions", summary["errors"])):
        if counts:
            shown = ", ".join(f"{count} {key}" for key, count in counts.items())
            click.secho(f"  {name}: {shown}", fg="yellow")
    print_statistics(summary["statistics"], "instance")
    if "ctester" in summary:
        _show_comparison(summary["ctester"])
    click.echo(f"  kept in {saved.folder}")


def _show_comparison(found: Mapping[str, Any]) -> None:
    """Print both results, and the first trade that differs."""
    click.secho(f"tester {found['version']}, spread {found['spread']:g}", bold=True)
    for key in ("trades", "net", "final_balance"):
        click.echo(f"  {key.replace('_', ' '):<18} {found['ours'][key]:>16,} {found['theirs'][key]:>16,}")
    if found["first_different"] is None:
        click.echo(f"  all {found['same']} trades agree in side, size and times")
        return
    click.echo(f"  {found['same']} trades agree, then:")
    for name, trade in zip(("ours", "tester's"), found["first_different"], strict=True):
        click.echo(f"  {name:<10} {'none' if trade is None else _trade_text(trade)}")


def _trade_text(trade: Mapping[str, Any]) -> str:
    opened = iso_from_ns(trade["open_s"] * NS_PER_S)
    closed = "open" if trade["close_s"] is None else iso_from_ns(trade["close_s"] * NS_PER_S)
    prices = f"{trade['open_price']:g} -> {trade['close_price'] or 0:g}"
    times = f"{opened} -> {closed} (broker's clock)"
    return f"{trade['side']} {trade['lots']:g} lots, {times}, {prices}, {trade['profit']:.2f}"
