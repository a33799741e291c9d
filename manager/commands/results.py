"""``atrader results``: saved results of backtests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manager.commands.completing import results
from manager.commands.installed import home_of
from manager.commands.output import json_option

if TYPE_CHECKING:
    from manager.commands.results_work import Place

_place_option = click.option(
    "--in", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where they are; default: results/."
)


def _place(directory: Path, folder: Path | None) -> Place:
    from manager.commands.results_work import Place  # numpy: not for --help and completion

    return Place(folder or home_of(directory).root / "results")


@click.command("list")
@click.option("--sort", default="made", metavar="KEY", help="By which key of --json, such as return_frac.")
@_place_option
@json_option
@click.pass_obj
def list_(directory: Path, sort: str, folder: Path | None, as_json: bool) -> None:
    """List saved results, the highest last; by default the newest."""
    _place(directory, folder).list_(sort, as_json=as_json)


@click.command()
@click.argument("name", shell_complete=results)
@_place_option
@json_option
@click.pass_obj
def show(directory: Path, name: str, folder: Path | None, as_json: bool) -> None:
    """Show a saved result: what ran, and what came of it. NAME is its folder."""
    _place(directory, folder).show(name, as_json=as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, shell_complete=results)
@click.option("--all", "all_settings", is_flag=True, help="Settings that are the same, too.")
@_place_option
@json_option
@click.pass_obj
def compare(directory: Path, names: tuple[str, ...], all_settings: bool, folder: Path | None, as_json: bool) -> None:
    """Show results beside each other: the settings in which they differ, and their figures."""
    _place(directory, folder).compare(names, all_settings=all_settings, as_json=as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, shell_complete=results)
@click.option("--png", is_flag=True, help="A picture instead of a page; needs the extra png.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: beside the result.")
@_place_option
@json_option
@click.pass_obj
def report(
    directory: Path, names: tuple[str, ...], png: bool, out: Path | None, folder: Path | None, as_json: bool
) -> None:
    """Write the report of results: an HTML file each, with everything in it, or a picture."""
    _place(directory, folder).report(names, out, as_picture=png, as_json=as_json)
