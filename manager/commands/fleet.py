"""``atrader-manager``: runs the fleet and speaks with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from manager.fork_server import begin_early

begin_early(sys.argv[1:], os.environ)  # it imports beside us

import click  # noqa: E402

from manager.commands import control, logs, setting_up, status, trading  # noqa: E402
from manager.commands.installed import directory_option  # noqa: E402
from manager.commands.output import run  # noqa: E402


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@directory_option
@click.version_option(package_name="atrader-platform", prog_name="atrader-manager")
@click.pass_context
def cli(context: click.Context, directory: Path) -> None:
    """Run and supervise trading strategies: one manager, a data layer, a gateway per account, a worker per strategy."""
    context.obj = directory


for command in (
    setting_up.init,
    setting_up.check,
    setting_up.keys,
    setting_up.doctor,
    setting_up.completion,
    control.start,
    control.stop,
    control.restart,
    control.reload,
    status.status,
    logs.logs,
    *trading.COMMANDS,
):
    cli.add_command(command)


def main() -> None:
    """Run ``atrader-manager``."""
    run(cli)


if __name__ == "__main__":
    main()
