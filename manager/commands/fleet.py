"""``atrader-manager``: runs the fleet and speaks with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if "start" in sys.argv:
    from manager.fork_server import begin_early

    begin_early(sys.argv[1:], os.environ)  # it imports beside us

import click

from manager.commands.installed import directory_option
from manager.commands.lazy import Entry, LazyGroup
from manager.commands.output import run

_HERE = "manager.commands"
_ENTRIES = (
    Entry("init", f"{_HERE}.setting_up:init", "Write a working installation into DIR (default: the one named by -C)."),
    Entry(
        "check",
        f"{_HERE}.setting_up:check",
        "Read the whole configuration and load every strategy, without starting anything.",
    ),
    Entry("keys", f"{_HERE}.keys:keys", "Make the CURVE keys that tcp endpoints need, in etc/keys (mode 0600)."),
    Entry(
        "doctor",
        f"{_HERE}.doctor:doctor",
        "Check machine, installation and accounts: clock, disk, files, secrets, what brokers say; sends no order.",
    ),
    Entry("completion", f"{_HERE}.completion:completion", "Print the completion script of a shell."),
    Entry("start", f"{_HERE}.control:start", "Start the fleet in the foreground, or NAMES of a running fleet."),
    Entry("stop", f"{_HERE}.control:stop", "Stop the fleet and wait until it is gone, or stop NAMES."),
    Entry("restart", f"{_HERE}.control:restart", "Restart all processes of the fleet, or NAMES."),
    Entry("reload", f"{_HERE}.control:reload", "Read the configuration again and touch only what changed."),
    Entry("status", f"{_HERE}.status:status", "Show the processes of the fleet and its accounts."),
    Entry(
        "account",
        f"{_HERE}.account:account",
        "Show accounts: money, exposure, trades, breaks, and how the gateway gets on with its broker.",
    ),
    Entry("logs", f"{_HERE}.logs:logs", "Show the log of the fleet, or of the process, account or instance NAME."),
    Entry("halt", f"{_HERE}.trading:halt", "Nothing but cancels: no opens, no exits by strategies."),
    Entry("reduce", f"{_HERE}.trading:reduce", "Exits only: strategies may close, nothing opens."),
    Entry("resume", f"{_HERE}.trading:resume", "Trade again."),
    Entry(
        "flatten",
        f"{_HERE}.trading:flatten",
        "Close every trade and cancel every order now; nothing opens until 'resume'.",
    ),
    Entry("adopt", f"{_HERE}.owners:adopt", "Give a trade that no configured instance owns to INSTANCE."),
    Entry(
        "orphans",
        f"{_HERE}.owners:orphans",
        "Trades and orders whose instance is gone from the configuration: list, close or assign them.",
    ),
)


@click.group(cls=LazyGroup, entries=_ENTRIES, context_settings={"help_option_names": ["-h", "--help"]})
@directory_option
@click.version_option(package_name="atrader-platform", prog_name="atrader-manager")
@click.pass_context
def cli(context: click.Context, directory: Path) -> None:
    """Run and supervise trading strategies: one manager, a data layer, a gateway per account, a worker per strategy."""
    context.obj = directory


def main() -> None:
    """Run ``atrader-manager``."""
    run(cli)


if __name__ == "__main__":
    main()
