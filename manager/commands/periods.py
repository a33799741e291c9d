"""``--start`` and ``--end``, and how much of the time between may be missing."""

from __future__ import annotations

import click

from atrader.clock import parse_time

start_option = click.option("--start", help="From here on: ISO date, or date and time with zone; default: the first.")
end_option = click.option("--end", help="Up to here, not included, written as --start; default: the last.")

max_gap_option = click.option(
    "--max-gap", default="1d", show_default=True, help="So much market time in a row may be without bars (5m, 2h)."
)


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


def duration_s(text: str, option: str) -> float:
    """Read a duration with a unit, in seconds.

    Raises
    ------
    click.BadParameter
        When it is none; names the option.
    """
    from pydantic import TypeAdapter, ValidationError  # not for --help and completion

    from atrader.configuration.base import DurationS

    try:
        found: float = TypeAdapter(DurationS).validate_python(text)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(said, param_hint=option) from error
    return found
