"""``atrader import-legacy``: an installation of the old trader becomes one of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atrader.errors import ConfigError
from atrader.exit_codes import ExitCode
from manager.commands.output import json_option, print_json


@click.command("import-legacy")
@click.argument("configs", nargs=-1, required=True, metavar="ATRADER_CONFIG...", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The new installation; default: the one of -C."
)
@click.option("--monitor", type=click.Path(path_type=Path, dir_okay=False), help="Configuration of the old monitor.")
@click.option("--library", type=click.Path(path_type=Path, dir_okay=False), help="Where the C library is.")
@click.option(
    "--zone", default="Europe/Madrid", show_default=True, help="Of times of virtual trades that are written as text."
)
@click.option("--paper", is_flag=True, help="Make every account a paper account on synthetic prices.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@json_option
@click.pass_obj
def import_legacy(
    directory: Path,
    configs: tuple[Path, ...],
    out: Path | None,
    monitor: Path | None,
    library: Path | None,
    zone: str,
    paper: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Move installations of the old trader here: their atrader.config and everything round it.

    ATRADER_CONFIG is that file or the folder it is in; several become one fleet, and are named together each time.

    Writes configuration, bars and the history of trades; open virtual trades wait in a file for the gateway. Secrets
    are not copied, nothing is sent to a broker, the old files stay as they are. Run again, it changes nothing; files
    that you changed are kept.

    Ends with 77 when something could not be taken over (the report's problems; the rest was), with 64 when what came of
    it does not start.
    """
    from atrader.zones import zone_of  # all of it: not for --help and completion
    from manager.legacy.importing import Order, import_legacy, not_taken_over
    from manager.legacy.report import show

    try:
        zone_of(zone)
    except ValueError as error:
        raise ConfigError(f"--zone: {error}") from error
    order = Order(configs, out or directory, monitor, library, zone, paper, dry_run)
    report = import_legacy(order, silent=as_json)
    if as_json:
        print_json(report)
    else:
        show(report)
    if report["problems"]:
        raise ConfigError("the new installation does not start like this:\n" + "\n".join(report["problems"]))
    if count := not_taken_over(report):
        click.secho(f"not everything could be taken over: {count} problems, see the report", fg="yellow", err=True)
        sys.exit(int(ExitCode.INCOMPLETE))
