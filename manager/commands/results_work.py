"""What ``atrader results`` does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from atrader.errors import ConfigError, StoreError
from atrader.wording import money_text, ratio_text, share_text
from manager.commands.output import print_json
from manager.commands.result_view import show_comparison, show_result
from manager.commands.tables import Cell, Column, print_rows, time_cell
from manager.places import TRIALS
from research.reports import Saved, found, named
from research.reports.comparing import differences, figures, result_row
from research.reports.drafts import remove_left

PAGE: Final = "report.html"
PICTURE: Final = "report.png"


def _cell(write: Callable[[Any], str]) -> Cell:
    return lambda value, row: write(value)


_COLUMNS: Final = (
    Column("result", "result"),
    Column("strategies", "strategy", 2),
    Column("instruments", "instrument", 4),
    Column("timeframes", "timeframe", 5),
    Column("start", "start", 6, cell=time_cell),
    Column("end", "end", 7, cell=time_cell),
    Column("trades", "trades", right=True),
    Column("final_equity", "final equity", 3, right=True, cell=_cell(money_text)),
    Column("return_frac", "return", right=True, cell=_cell(lambda value: share_text(value, 2))),
    Column("drawdown_deepest_frac", "drawdown (bars)", right=True, cell=_cell(share_text)),
    Column("sharpe", "Sharpe", right=True, cell=_cell(ratio_text)),
    Column("profit_factor", "profit factor", 1, right=True, cell=_cell(ratio_text)),
    Column("win_rate_frac", "win rate", 8, right=True, cell=_cell(share_text)),
    Column("warnings", "warnings", 9, right=True),
    Column("made", "made", 10, cell=time_cell),
)


class Place(NamedTuple):
    """A folder with saved results."""

    folder: Path

    def list_(self, sort: str, *, as_json: bool) -> None:
        """Print all results, and say which cannot be read.

        Raises
        ------
        ConfigError
            When there is no key to sort by of that name.
        StoreError
            When a result cannot be read; after the others were printed.
        """
        for name in remove_left(self.folder):
            click.echo(f"removed what was left of {name}: the program that wrote it died", err=True)
        results, errors = found(self.folder)
        rows = [result_row(result) for result in results]
        if rows and sort not in rows[0]:
            raise ConfigError(f"--sort {sort!r}: expected one of {', '.join(rows[0])}")
        rows.sort(key=lambda row: (row[sort] is not None, row[sort]))
        if as_json:
            print_json(rows)
        else:
            nothing = f"none of {len(errors)} results can be read" if errors else "no results"
            print_rows(_COLUMNS, rows, empty=f"{nothing} in {self.folder}")
        if errors:
            raise StoreError("\n".join(error.message for error in errors))

    def show(self, name: str, *, as_json: bool) -> None:
        """Print one result."""
        saved = self._named(name)
        if as_json:
            print_json(saved.summary)
        else:
            show_result(saved)

    def compare(self, names: Sequence[str], *, all_settings: bool, as_json: bool) -> None:
        """Print results beside each other."""
        results = [self._named(name) for name in names]
        if as_json:
            print_json(comparison(results, all_settings=all_settings))
        else:
            show_comparison(results, all_settings=all_settings)

    def report(self, names: Sequence[str], out: Path | None, *, as_picture: bool, as_json: bool) -> None:
        """Write a report of each; an older one is replaced."""
        from rich.console import Console  # what draws, and all readers of files: not for a list
        from rich.progress import track

        from data_layer.files.output import new_file
        from research.reports.page import page
        from research.reports.picture import picture

        if out is not None and len(names) > 1:
            raise ConfigError("--out is for one result; without it each report lies beside its result")
        results = [self._named(name) for name in names]
        written = []
        hidden = as_json or not sys.stderr.isatty()
        for saved in track(results, "reports", console=Console(stderr=True), disable=hidden, transient=True):
            path = out or saved.folder / (PICTURE if as_picture else PAGE)
            with new_file(path, force=True) as file:
                file.write(picture(saved) if as_picture else page(saved).encode())
            written.append(path)
        if as_json:
            print_json(
                [{"result": saved.name, "file": str(path)} for saved, path in zip(results, written, strict=True)]
            )
        else:
            for path in written:
                click.echo(path)

    def _named(self, name: str) -> Saved:
        for place in (self.folder / name, Path(name)):
            if (place / TRIALS).is_file():
                raise ConfigError(f"{place} is a search, no result of a backtest: 'atrader analyse {place}' shows it")
        return named(self.folder, name)


def comparison(results: Sequence[Saved], *, all_settings: bool) -> dict[str, Any]:
    """Return results beside each other as JSON shows them."""
    return {
        "results": [result.name for result in results],
        "settings": {line.key: line.values for line in differences(results, all_settings=all_settings)},
        "figures": {line.key: line.values for line in figures(results)},
    }
