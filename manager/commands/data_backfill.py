"""``atrader data backfill`` and ``watched``: history from sources."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import click

from atrader.calendars import Calendar
from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, Rejected
from atrader.instruments import known_instrument
from atrader.messages.data import BackfillJob, RequestBars, Watched
from atrader.timeframes import Timeframe
from data_layer.offline import Market, open_market
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.periods import end_option, period_ns, start_option
from manager.commands.tables import Column, print_rows, time_cell
from manager.lock import owner_of

_LOOK_S: Final = 0.2
_COLUMNS: Final = (
    *(Column("instrument", "instrument"), Column("timeframe", "timeframe"), Column("priority", "priority", 1)),
    *(Column("state", "state"), Column("done", "done", right=True), Column("bars", "bars", 2, right=True)),
    *(Column("start", "start", 1, cell=time_cell), Column("end", "end", 1, cell=time_cell)),
    *(Column("source", "source", 2), Column("reason", "reason", 3)),
)


def job_text(job: BackfillJob) -> str:
    """Return a job as a line for people."""
    waits = f", waits: {job.reason}" if job.reason else ""
    return f"{job.instrument} {job.timeframe} from {job.source} ({job.priority}), {job.done_frac:.0%}{waits}"


@click.command()
@click.argument("instrument", required=False)
@click.argument("timeframe", required=False)
@start_option
@end_option
@click.option("--replace", is_flag=True, help="Fetch stored bars again too; what changes is kept as a revision.")
@click.option("--source", help="Name under [sources], or gateway-ACCOUNT; default: the first that has such bars.")
@click.option("--no-wait", is_flag=True, help="Return at once; the data layer goes on, also after a restart.")
@json_option
@click.pass_obj
def backfill(
    directory: Path,
    instrument: str | None,
    timeframe: str | None,
    start: str | None,
    end: str | None,
    replace: bool,
    source: str | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Fetch missing history of INSTRUMENT from a source; without INSTRUMENT show what is being fetched.

    TIMEFRAME is that of the bars that are stored (default: data.base_timeframe); longer ones are built from them.
    Only gaps are asked for. While the fleet is stopped the services under [sources] are asked from here.
    """
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    with open_market(home, fleet) as market:
        if instrument is None:
            _show(list(market.backfill()), as_json)
            return
        start_ns, end_ns = period_ns(start, end)
        if start_ns is None:
            raise click.UsageError("say from when on: --start, e.g. --start 2024-01-01")
        request = RequestBars(
            instrument=known_instrument(instrument, fleet.instruments).symbol,
            timeframe=None if timeframe is None else Timeframe.given(timeframe).name,
            start_ns=start_ns,
            end_ns=SystemClock().now_ns() if end_ns is None else end_ns,
            replace=replace,
            source=source,
        )
        if no_wait and not market.is_running:
            raise ConfigError(
                "--no-wait leaves the work to the data layer, and it does not run: leave it out, or start the fleet"
            )
        job = market.request_bars(request)
        if not no_wait:
            job = _followed(market, job, as_json)
    if as_json:
        print_json(_row(job))
    elif job.state == "done":
        click.echo(f"{job.bars} bars of {job.instrument} {job.timeframe} came or changed")
    else:
        click.echo(f"being fetched: {job_text(job)}; 'atrader data backfill' shows how far it is")


def _followed(market: Market, job: BackfillJob, as_json: bool) -> BackfillJob:
    """Show how far a job is until it is over; Ctrl-C stops the showing only, unless the fleet is stopped.

    Raises
    ------
    Rejected
        When the source refused it.
    """
    from rich.progress import TaskProgressColumn  # and all that draws

    from manager.commands.progress import progress_bar

    silent = as_json or not sys.stderr.isatty()
    with progress_bar(TaskProgressColumn(), silent=silent) as progress:
        task = progress.add_task(job.instrument, total=1.0)
        told = ""
        while job.state in ("waiting", "fetching"):
            if silent and job.reason not in ("", told):
                click.echo(f"waits: {job.reason}", err=True)
            told = job.reason
            progress.update(task, completed=job.done_frac, description=f"{job.instrument} {job.reason}".rstrip())
            time.sleep(_LOOK_S)
            job = next((one for one in market.backfill() if one.id == job.id), job)
    if job.state == "failed":
        raise Rejected(job.reason, details={"reason": "source"})
    return job


@click.command()
@json_option
@click.pass_obj
def watched(directory: Path, as_json: bool) -> None:
    """Show the instruments whose bars the running data layer keeps up to date, and why.

    And until when their market is open, or closed.
    """
    home = home_of(directory)
    fleet = load_installation(home.root).fleet
    now_ns = SystemClock().now_ns()
    with open_market(home, fleet) as market:
        rows = [watched_row(one, fleet.calendar_of(one.instrument), now_ns) for one in market.watched()]
    if as_json:
        print_json(rows)
        return
    columns = (Column("instrument", "instrument"), Column("reason", "why"), Column("market", "market"))
    nobody = "nothing runs, so nothing is kept up to date" if owner_of(home) is None else "none"
    print_rows([*columns, Column("until", "until", cell=time_cell)], rows, empty=nobody)


def watched_row(watched: Watched, calendar: Calendar, now_ns: int) -> dict[str, object]:
    """Return an instrument and whether its market is open; ``until`` is when that changes, if it ever does."""
    is_open = calendar.is_open(now_ns)
    until_ns = calendar.next_close(now_ns) if is_open else calendar.next_open(now_ns)
    return {
        "instrument": watched.instrument,
        "reason": watched.reason,
        "market": "open" if is_open else "closed",
        "until": None if until_ns is None else iso_from_ns(until_ns),
    }


def _show(jobs: list[BackfillJob], as_json: bool) -> None:
    rows = [_row(job) for job in jobs]
    if as_json:
        print_json(rows)
        return
    for row, job in zip(rows, jobs, strict=True):
        row["done"] = f"{job.done_frac:.0%}"
    print_rows(_COLUMNS, rows, empty="nothing is being fetched")


def _row(job: BackfillJob) -> dict[str, object]:
    return {
        **job.model_dump(exclude={"start_ns", "end_ns", "done_frac"}),
        "done_frac": job.done_frac,
        "start": iso_from_ns(job.start_ns),
        "end": iso_from_ns(job.end_ns),
    }
