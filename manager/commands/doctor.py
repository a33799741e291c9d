"""``doctor``: whether everything around the fleet is as it has to be."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atrader.configuration.home import Home
from atrader.exit_codes import ExitCode
from manager.commands.output import json_option, print_json

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@click.option("--offline", is_flag=True, help="Ask no broker.")
@json_option
@click.pass_obj
def doctor(directory: Path, offline: bool, as_json: bool) -> None:
    """Check machine, installation and accounts: clock, disk, files, secrets, what brokers say; sends no order."""
    from manager.doctor import examine

    findings = examine(Home(directory.resolve()), ask_brokers=not offline)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            level = click.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            click.echo(f"{level}{finding.what}: {finding.text}{remedy}")
    if any(finding.level == "error" for finding in findings):
        sys.exit(int(ExitCode.FAILURE))
