"""``atrader data backup|check|compact|archive|size``: looking after the stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import TimeElapsedColumn

from atrader.clock import iso_from_ns
from atrader.messages.operations import OperationName
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.progress import progress_bar
from manager.commands.tables import Column, print_rows, time_cell

if TYPE_CHECKING:
    from atrader.configuration.home import Home

_MB = 1e6


def _done(home: Home, name: OperationName, as_json: bool, **options: Any) -> dict[str, Any]:
    """Do an operation with a progress bar on a terminal."""
    from data_layer.operations import Options  # numpy: not for --help and completion
    from data_layer.operations.commands import run_operation

    with progress_bar(TimeElapsedColumn(), silent=as_json) as bars:
        task = bars.add_task(name, total=None)

        def show(done: int, total: int, doing: str) -> None:
            bars.update(task, completed=done, total=total or None, description=doing)

        return run_operation(home, name, Options(**options), show)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(directory: Path, target: Path, as_json: bool) -> None:
    """Copy bars, history and archive to a new directory TARGET, verified; works while the fleet runs."""
    done = _done(home_of(directory), "backup", as_json, directory=str(target.absolute()))
    if as_json:
        print_json(done)
        return
    size = sum(file["bytes"] for file in done["files"].values())
    click.echo(f"wrote {len(done['files'])} files, {size / _MB:.1f} MB, verified, to {done['directory']}")


@click.command()
@click.option("--repair", is_flag=True, help="Make gaps of damaged bars, to be fetched or imported again.")
@click.option("--full", is_flag=True, help="Compare indexes with their tables too; takes longer.")
@json_option
@click.pass_context
def check(context: click.Context, repair: bool, full: bool, as_json: bool) -> None:
    """Read every page, chunk and archive and say what is damaged; exit code 1 when something is."""
    found = _done(home_of(context.obj), "check", as_json, repair=repair, full=full)
    if as_json:
        print_json(found)
    else:
        _show_check(found)
    context.exit(0 if found["sound"] else 1)


def _show_check(found: dict[str, Any]) -> None:
    for file in found["files"]:
        for problem in file["problems"]:
            click.secho(f"{file['file']}: {problem}", fg="red")
    for archive in found["archives"]:
        click.secho(f"{archive['file']} {archive['problem']}", fg="red")
    if found["damaged"]:
        columns = [
            *(Column("instrument", "instrument"), Column("timeframe", "timeframe")),
            *(Column("first", "first", cell=time_cell), Column("last", "last", cell=time_cell)),
            *(Column("rows", "rows", right=True), Column("reason", "reason", 1, prose=True)),
        ]
        print_rows(columns, found["damaged"], empty="")
        repaired = all(one["repaired"] for one in found["damaged"])
        click.echo("these are gaps now" if repaired else "these are left out of every answer; --repair makes them gaps")
    if found["sound"]:
        click.echo("everything is sound")


@click.command()
@json_option
@click.pass_obj
def compact(directory: Path, as_json: bool) -> None:
    """Rewrite the stores without the holes that deleted rows left."""
    found = _done(home_of(directory), "compact", as_json)
    if as_json:
        print_json(found)
        return
    for file in found["files"]:
        click.echo(f"{file['file']}: {file['bytes_before'] / _MB:.1f} MB -> {file['bytes_after'] / _MB:.1f} MB")


@click.command()
@json_option
@click.pass_obj
def archive(directory: Path, as_json: bool) -> None:
    """Move history that is older than the keep_... settings of [data] to Parquet files."""
    found = _done(home_of(directory), "archive", as_json)
    if as_json:
        print_json(found)
        return
    moved = {name: count for name, count in found["moved"].items() if count}
    click.echo("moved " + ", ".join(f"{count} {name}" for name, count in moved.items()) if moved else "nothing is old")


@click.command()
@json_option
@click.pass_obj
def size(directory: Path, as_json: bool) -> None:
    """Show how many rows and bytes each instrument and timeframe has, and the files."""
    from data_layer.offline import open_market  # numpy: not for --help and completion
    from data_layer.sizes import bytes_of, files_of

    home = home_of(directory)
    with open_market(home) as market:
        series = [
            {
                "instrument": info.instrument,
                "timeframe": info.timeframe,
                "rows": info.count,
                "bytes": bytes_of(info),
                "first": iso_from_ns(info.first_ns),
                "last": iso_from_ns(info.last_ns),
            }
            for info in market.series()
        ]
    files = files_of(home)
    if as_json:
        print_json({"series": series, "files": files})
        return
    columns = [
        *(Column("instrument", "instrument"), Column("timeframe", "timeframe"), Column("rows", "rows", right=True)),
        Column("bytes", "MB", right=True, cell=lambda value, _: f"{value / _MB:.1f}"),
        *(Column("first", "first", 1, cell=time_cell), Column("last", "last", 1, cell=time_cell)),
    ]
    print_rows(columns, series, empty="no bars are stored")
    for file in files:
        click.echo(f"{file['file']}: {file['bytes'] / _MB:.1f} MB")
