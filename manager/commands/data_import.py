"""``atrader data import``: from files into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from manager.commands.installed import home_of
from manager.commands.output import json_option

FORMAT_NAMES = "own, fxcm, truefx, dukascopy, histdata, mt4, mt5, candles, old-trader"
"""Those of `data_layer.files.formats`, which would bring numpy."""


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--instrument", help="Symbol, e.g. EUR/USD; default: told from the rows, the name or the folder.")
@click.option("--timeframe", help="E.g. 1m; default: told from the format, the name or the distance of the bars.")
@click.option("--zone", help="Time zone of times that carry none, e.g. UTC, Europe/Madrid, America/New_York+7h.")
@click.option("--format", "format_", help=f"Default: told from the rows; {FORMAT_NAMES}.")
@click.option("--columns", help="Columns by name or number, e.g. time=Date,open=O,high=H,low=L,close=C.")
@click.option("--delimiter", help="With --columns: a character, or tab, comma, semicolon, space.")
@click.option("--time-format", help="With --columns: iso, s, ms, us, ns, or like '%d/%m/%Y %H:%M'.")
@click.option("--decimal", type=click.Choice(["point", "comma"]), default="point", help="Before the decimals.")
@click.option("--point", help="What a point of the spread is, e.g. 0.00001: a column of MetaTrader 5 counts them.")
@click.option("--strict", is_flag=True, help="Store nothing when any row is bad.")
@click.option("--dry-run", is_flag=True, help="Say what would be stored, and store nothing.")
@json_option
@click.pass_obj
def import_(
    directory: Path,
    files: tuple[Path, ...],
    instrument: str | None,
    timeframe: str | None,
    zone: str | None,
    format_: str | None,
    columns: str | None,
    delimiter: str | None,
    time_format: str | None,
    decimal: Literal["point", "comma"],
    point: str | None,
    strict: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import bars or quotes from FILES: names, folders or patterns.

    CSV of many kinds, JSON, Parquet, Feather; also .gz and .zip. Two files that differ in 'bid' and 'ask' become one
    series. Importing twice changes nothing; a bar with other values is stored and the old one kept as a revision.
    """
    from manager.commands.data_import_work import Wish, run_import  # numpy: not for --help and completion

    run_import(
        home_of(directory),
        files,
        Wish(instrument, timeframe, zone, format_, columns, delimiter, time_format, decimal, point, strict, dry_run),
        as_json=as_json,
    )
