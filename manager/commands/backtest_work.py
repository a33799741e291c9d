"""What ``atrader backtest`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import AtraderError
from atrader.timeframes import Timeframe
from manager.backtests.loading import TICKS
from manager.backtests.request import Engine, Request, overrides_of, requests_of
from manager.backtests.running import Outcome, run_all, summary_of
from manager.commands.late_bar import late_bar
from manager.commands.output import print_json
from manager.commands.result_view import show_comparison, show_figures, show_kept
from manager.places import require_writable
from research.events.plan import SignalsOver
from research.reports import Saved


class Wish(NamedTuple):
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
    signals: SignalsOver
    engine: Engine | None
    filling: Mapping[str, object]
    unlimited: bool
    slippage: str | None
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
    require_writable(wish.out)
    tester = None if wish.ctester is None else wish.ctester.resolve()
    if tester is not None:
        from manager.backtests.comparing import check_comparable  # and all that knows the library

        check_comparable(requests)
    outcomes: list[Outcome] = []
    shown: list[Path] = []
    with late_bar(requests[0].name, silent=wish.as_json) as bar:

        def show(known: Saved) -> None:
            bar.gone()
            show_figures(known)
            shown.append(known.folder)

        def over(one: Outcome) -> None:
            outcomes.append(one)
            if len(requests) > 1:
                bar.show(len(outcomes), len(requests), one.request.name)

        run_all(
            requests,
            wish.out,
            wish.processes or os.cpu_count() or 1,
            lambda _, done, total: bar.show(done, total),
            over,
            tester,
            None if wish.as_json else show,
        )
    outcomes.sort(key=lambda outcome: requests.index(outcome.request))
    if wish.as_json:
        print_json([summary_of(outcome) for outcome in outcomes])
    else:
        saved = [outcome.saved for outcome in outcomes if outcome.saved is not None]
        for one in saved:
            if one.folder not in shown:
                show_figures(one)
            show_kept(one)
        if len(saved) > 1:
            show_comparison(saved, all_settings=False)
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed:
        raise _first(failed)


def _requests(home: Home, wish: Wish) -> list[Request]:
    overrides = overrides_of(
        wish.instrument,
        wish.timeframe,
        wish.parameters,
        account=wish.account,
        balance=wish.balance,
        slippage=wish.slippage,
    )
    quotes = wish.quotes if wish.quotes in (None, TICKS) else Timeframe.given(wish.quotes).name
    installation = load_installation(home.root)
    return requests_of(
        wish.what,
        installation,
        overrides,
        period=wish.period,
        quotes=quotes,
        apart=wish.apart,
        max_gap_s=wish.max_gap_s,
        signals=wish.signals,
        engine=wish.engine,
        filling=wish.filling,
        unlimited=wish.unlimited,
    )


def _first(errors: list[AtraderError]) -> AtraderError:
    for error in errors[1:]:
        click.secho(f"error: {error.message}", fg="red", err=True)
    return errors[0]
