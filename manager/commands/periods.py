"""``--start`` and ``--end``."""

from __future__ import annotations

import click

from atrader.clock import parse_time
from atrader.errors import ConfigError

start_option = click.option("--start", help="From here on: ISO date, or date and time with zone; default: the first.")
end_option = click.option("--end", help="Up to here, not included, written as --start; default: the last.")


def period_ns(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Read both.

    Raises
    ------
    ConfigError
        When one is no time.
    """
    try:
        return (None if start is None else parse_time(start)), (None if end is None else parse_time(end))
    except ValueError as error:
        raise ConfigError(str(error)) from error
