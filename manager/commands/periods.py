"""``--start`` and ``--end``."""

from __future__ import annotations

import click

from atrader.clock import parse_time

start_option = click.option("--start", help="From here on: ISO date, or date and time with zone; default: the first.")
end_option = click.option("--end", help="Up to here, not included, written as --start; default: the last.")


def period_ns(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Read both.

    Raises
    ------
    click.BadParameter
        When one is no time, or nothing lies between them; names the option.
    """
    start_ns, end_ns = _moment_ns(start, "--start"), _moment_ns(end, "--end")
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise click.BadParameter(f"{end} is not later than --start {start}", param_hint="--end")
    return start_ns, end_ns


def _moment_ns(text: str | None, option: str) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
