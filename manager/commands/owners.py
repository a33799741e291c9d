"""``adopt`` and ``orphans``: trades that nobody configured owns, and who gets them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from atrader.configuration.home import Home
from atrader.errors import ConfigError
from manager.commands.completing import accounts, instances
from manager.commands.installed import ask_gateway, home_of
from manager.commands.output import json_option, print_json
from manager.commands.status import fetch

if TYPE_CHECKING:
    from atrader.messages.gateway import Assigned


class _Orphan(NamedTuple):
    account: str
    instance: str
    magic: int
    open_trades: int
    live_orders: int


@click.command()
@click.argument("account", shell_complete=accounts)
@click.argument("trade")
@click.argument("instance", shell_complete=instances)
@json_option
@click.pass_obj
def adopt(directory: Path, account: str, trade: str, instance: str, as_json: bool) -> None:
    """Give a trade that no configured instance owns to INSTANCE.

    TRADE: its id in 'account' or 'status' (foreign-...), or the broker's number. Nothing is traded; from then on the
    instance manages it, and its limits count it. Refused for a trade that has an owner, and for another instrument
    than the instance trades.
    """
    from atrader.messages.gateway import AdoptTrade

    _tell(ask_gateway(home_of(directory), account, AdoptTrade(trade_id=trade, instance=instance)), as_json)


@click.group()
def orphans() -> None:
    """Trades and orders whose instance is gone from the configuration: list, close or assign them."""


@orphans.command("list")
@json_option
@click.pass_obj
def list_(directory: Path, as_json: bool) -> None:
    """List them by account and instance."""
    found = _orphans(home_of(directory))
    if as_json:
        print_json([orphan._asdict() for orphan in found])
        return
    if not found:
        click.echo("no orphans: every trade and order has a configured owner, or is foreign")
    for orphan in found:
        click.echo(_line(orphan))


@orphans.command("close")
@click.argument("account", shell_complete=accounts)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def close(directory: Path, account: str, name: str, yes: bool, as_json: bool) -> None:
    """Close the trades of NAME at the market and cancel its orders.

    NAME: what the instance was called, or its magic number. Once: a market that is closed refuses, then ask again.
    """
    from atrader.messages.gateway import CloseAll

    home = home_of(directory)
    orphan = _orphan(home, account, name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("'orphans close' closes trades at the market: confirm with --yes")
        click.confirm(f"{_line(orphan)}; close and cancel everything at the market now?", abort=True)
    done = ask_gateway(home, account, CloseAll(magic=orphan.magic, reason="orphan")).done
    if as_json:
        print_json({**orphan._asdict(), "done": done})
        return
    click.echo(f"{done} closes and cancellations were begun; 'atrader-manager orphans list' shows what is left")


@orphans.command("assign")
@click.argument("account", shell_complete=accounts)
@click.argument("name")
@click.argument("instance", shell_complete=instances)
@json_option
@click.pass_obj
def assign(directory: Path, account: str, name: str, instance: str, as_json: bool) -> None:
    """Give the trades of NAME to INSTANCE and cancel the entries of NAME that still work.

    NAME: what the instance was called, or its magic number. All trades or none; the history keeps who opened them.
    """
    from atrader.messages.gateway import HandOn

    home = home_of(directory)
    orphan = _orphan(home, account, name)
    _tell(ask_gateway(home, account, HandOn(magic=orphan.magic, instance=instance)), as_json)


def _tell(answer: Assigned, as_json: bool) -> None:
    if as_json:
        print_json([trade.model_dump(mode="json") for trade in answer.trades])
        return
    for trade in answer.trades:
        click.echo(f"{trade.trade_id} ({trade.side} {trade.units} {trade.instrument}) now belongs to {trade.instance}")


def _orphans(home: Home) -> list[_Orphan]:
    rows: list[dict[str, Any]] = fetch(home)["accounts"]
    return [
        _Orphan(str(row["name"]), orphan["instance"], orphan["magic"], orphan["open_trades"], orphan["live_orders"])
        for row in rows
        for orphan in row.get("orphans") or ()
    ]


def _orphan(home: Home, account: str, name: str) -> _Orphan:
    """Find one by name or magic number.

    Raises
    ------
    ConfigError
        When there is none, or several had the name.
    """
    known = [orphan for orphan in _orphans(home) if orphan.account == account]
    found = [orphan for orphan in known if name in (orphan.instance, str(orphan.magic))]
    if len(found) == 1:
        return found[0]
    if found:
        magics = ", ".join(str(orphan.magic) for orphan in found)
        raise ConfigError(f"several instances were called {name!r}: name one by its magic number ({magics})")
    names = ", ".join(f"{orphan.instance} ({orphan.magic})" for orphan in known) or "none"
    raise ConfigError(f"account {account!r} has no orphan {name!r}; there are: {names}")


def _line(orphan: _Orphan) -> str:
    return (
        f"{orphan.account}: {orphan.instance} (magic {orphan.magic}): open trades {orphan.open_trades},"
        f" working orders {orphan.live_orders}"
    )
