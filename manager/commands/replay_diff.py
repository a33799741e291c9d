"""``atrader replay-diff``: run a recorded day again."""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from atrader.clock import NS_PER_S, host_now_ns
from atrader.errors import ConfigError
from atrader.exit_codes import ExitCode
from atrader.timeframes import Timeframe
from manager.commands.completing import instances
from manager.commands.installed import home_of
from manager.commands.output import json_option


@click.command()
@click.argument("instance", shell_complete=instances)
@click.option("--day", required=True, help="ISO date.")
@click.option(
    "--time-zone", default="UTC", show_default=True, help="Whose day: it has 23 or 25 hours where clocks change."
)
@click.option("--quotes", help="Bars that the quotes are made of (1m), or 'ticks'; default: as it was fed then.")
@click.option("--as-configured", is_flag=True, help="With the parameters of today instead of those of then.")
@json_option
@click.pass_obj
def replay_diff(
    directory: Path, instance: str, day: str, time_zone: str, quotes: str | None, as_configured: bool, as_json: bool
) -> None:
    """Run a recorded day of an instance again, and show the first decision that differs and why.

    Ends with 1 when something differs.
    """
    from manager.commands.replay_diff_work import show_replay_diff  # numpy: not for --help and completion

    if quotes not in (None, "ticks"):
        quotes = Timeframe.given(quotes).name
    period = day_of(day, time_zone)
    home = home_of(directory)
    if not show_replay_diff(home, instance, period, quotes, as_configured=as_configured, as_json=as_json):
        sys.exit(int(ExitCode.FAILURE))


def day_of(text: str, time_zone: str) -> tuple[int, int]:
    """Return begin and end of a day, UTC ns.

    Raises
    ------
    BadParameter
        When it is no date, or the zone is unknown.
    ConfigError
        When it is still to come.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, OSError, ValueError) as error:
        raise click.BadParameter(f"unknown time zone {time_zone!r}", param_hint="--time-zone") from error
    try:
        first = date.fromisoformat(text)
        begin, end = (_midnight(one, zone) for one in (first, first + timedelta(days=1)))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r}: expected a date such as 2026-03-29", param_hint="--day") from error
    if begin > host_now_ns():
        raise ConfigError(f"--day {text}: that day is still to come")
    return begin, end


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * NS_PER_S
