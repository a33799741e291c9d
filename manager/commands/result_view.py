"""Results of backtests for people: one with what ran beside what came of it, or several beside each other."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import click

from atrader.clock import NS_PER_S, iso_from_ns
from manager.commands.tables import PROSE, Column, print_rows, terminal_width
from manager.commands.text_lines import folded, width_of
from research.reports import Saved
from research.reports.comparing import FIGURES, differences, figures
from research.reports.figures import Lines, identity_lines, instance_lines, more_lines, result_lines

_BESIDE: Final = 150  # characters a terminal needs to show both halves beside each other
_BETWEEN: Final = 4  # characters between them
_GAP: Final = 2
_LEAST: Final = 20  # characters of a text in a line: a terminal that is narrower breaks lines itself
_HASH_SHOWN: Final = 12


def show_result(saved: Saved) -> None:
    """Print what ran beside what came of it, and where it is kept."""
    show_figures(saved)
    show_kept(saved)


def show_figures(saved: Saved) -> None:
    """Print what ran beside what came of it."""
    summary = saved.summary
    click.secho(saved.name, bold=True)
    if summary["not_vector"]:
        click.secho(f"  event engine, not the vector engine, which is faster: {summary['not_vector']}", dim=True)
    for warning in summary["warnings"]:
        click.secho(f"  {warning['text']}", fg="yellow")
    instances = [[("instance", one["name"]), *instance_lines(one)] for one in summary["instances"]]
    ran = [line for lines in (*instances, identity_lines(summary)) for line in lines]
    _show_halves(("what ran", ran), ("what came of it", result_lines(summary)))
    for name, lines in more_lines(summary):
        click.echo("\n".join(_half(name, lines, terminal_width())))
    if "ctester" in summary:
        _show_tester(summary["ctester"])


def show_kept(saved: Saved) -> None:
    """Print where a result is kept, which it is, and the command of its page, to be typed here."""
    home = Path(os.environ.get("ATRADER_HOME") or ".")  # of a command without -C
    is_known = saved.folder.resolve() == (home / "results" / saved.name).resolve()
    name = saved.name if is_known else shlex.quote(str(saved.folder.resolve()))
    click.echo(f"kept in {saved.folder}; a page of it: atrader results report {name}")


def _show_halves(left: tuple[str, Lines], right: tuple[str, Lines]) -> None:
    """Print two lists: beside each other where a terminal is wide enough."""
    width = terminal_width()
    if width is None or width < _BESIDE:
        click.echo("\n".join(_half(*left, width) + _half(*right, width)))
        return
    results = _half(*right, width // 2)
    space = width - _BETWEEN - max(width_of(click.unstyle(line)) for line in results)
    for one, other in zip_longest(_half(*left, space), results, fillvalue=""):
        click.echo(f"{one}{' ' * (space + _BETWEEN - width_of(click.unstyle(one)))}{other}")


def _half(name: str, lines: Lines, width: int | None) -> list[str]:
    """Return a list of headings and texts in so many characters (None: as many as it takes)."""
    margin = max([len(name), *(len(heading) + _GAP for heading, _ in lines)]) + _GAP
    found = [click.style(name, bold=True)]
    for heading, text in lines:
        first, *rest = folded(text, None if width is None else max(width - margin, _LEAST))
        found.append(f"{' ' * _GAP}{heading}".ljust(margin) + first)
        found += [" " * margin + part for part in rest]
    return found


def show_comparison(results: Sequence[Saved], *, all_settings: bool) -> None:
    """Print the settings in which results differ, and below them the figures; as many beside each other as fit."""
    settings = [_row(one.key, one.values) for one in differences(results, all_settings=all_settings)]
    values = [_row(one.key, [_written(one.key, value) for value in one.values]) for one in figures(results)]
    columns = [Column(f"{number}", result.name, prose=True) for number, result in enumerate(results)]
    for beside in _abreast(columns):
        print_rows([Column("key", "setting", prose=True), *beside], settings, empty="no setting differs")
        click.echo()
    for beside in _abreast(columns):
        if beside[0] is not columns[0]:
            click.echo()
        print_rows([Column("key", "figure"), *(one._replace(right=True) for one in beside)], values, empty="")


def _abreast(columns: Sequence[Column]) -> Sequence[Sequence[Column]]:
    """Return columns in groups that fit into the terminal beside their headings."""
    width = terminal_width()
    count = len(columns) if width is None else max((width - PROSE) // (_GAP + PROSE), 1)
    return [columns[first : first + count] for first in range(0, len(columns), count)]


def _row(key: str, values: Sequence[Any]) -> dict[str, Any]:
    if key.endswith("sha256"):
        values = [value and value[:_HASH_SHOWN] for value in values]
    return {"key": key, **{f"{number}": "-" if value is None else value for number, value in enumerate(values)}}


def _written(key: str, value: Any) -> str:
    return FIGURES[key](value)


def _show_tester(found: Mapping[str, Any]) -> None:
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
