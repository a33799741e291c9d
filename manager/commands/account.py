"""``account``: everything about broker accounts, from their gateways or, when nobody answers, from their journals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atrader.clock import NS_PER_S, SystemClock, iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.configuration.problems import did_you_mean
from atrader.errors import ConfigError, Retryable, StoreError
from atrader.runtime.file_lock import owner_of
from manager.commands.completing import accounts
from manager.commands.installed import ask_gateway, home_of
from manager.commands.output import json_option, print_json

if TYPE_CHECKING:
    from atrader.configuration.fleet import Installation
    from atrader.messages.account import AccountView
    from atrader.orders.model import Order, Trade

_ANSWER_S = 3.0  # a gateway that works answers within milliseconds


@click.command()
@click.argument("name", required=False, shell_complete=accounts)
@json_option
@click.pass_obj
def account(directory: Path, name: str | None, as_json: bool) -> None:
    """Show accounts: money, exposure, trades, breaks, and how the gateway gets on with its broker."""
    home = home_of(directory)
    installation = load_installation(home.root)
    if name is not None and name not in installation.accounts:
        known = ", ".join(installation.accounts) or "none"
        raise ConfigError(f"no account {name!r}{did_you_mean(name, installation.accounts)}; there are: {known}")
    found = [_look(home, installation, one) for one in ([name] if name is not None else installation.accounts)]
    if as_json:
        print_json(found[0] if name is not None else found)
        return
    from manager.commands.account_tables import print_account  # programs do not wait for what only people look at

    for number, row in enumerate(found):
        if number:
            click.echo()
        print_account(row, installation.fleet.instruments)
    if not found:
        click.echo("no account is configured")


def _look(home: Home, installation: Installation, name: str) -> dict[str, Any]:
    """Return an account as its gateway sees it; else as the journal has it, with the reason in ``note``."""
    journal = home.journal(name)
    owner = owner_of(journal.with_suffix(".lock")) if journal.exists() else None
    note = "nothing runs for this account"
    if owner is not None:
        from atrader.messages.account import GetAccountView

        try:
            return shaped(ask_gateway(home, name, GetAccountView(), _ANSWER_S), "")
        except Retryable as error:
            note = error.message
    from manager.account_journal import account_from_journal

    try:
        view = account_from_journal(home, installation, name)
    except StoreError as error:
        return {"name": name, "source": None, "note": error.message, "broker": installation.accounts[name].broker}
    return shaped(view, note)


def shaped(view: AccountView, note: str) -> dict[str, Any]:
    """Return a view as ``account --json`` prints it: times in ISO 8601, money as text, one map a trade."""
    row = view.model_dump(mode="json", exclude={"time_ns", "trades", "foreign", "orders", "exposures"})
    age_s = max(0.0, (SystemClock().now_ns() - view.time_ns) / NS_PER_S) if view.time_ns else None
    return {
        "name": row.pop("name"),
        "source": row.pop("source"),
        "note": note,
        "time": iso_from_ns(view.time_ns) if view.time_ns else None,
        "age_s": None if age_s is None else round(age_s, 3),
        **row,
        "exposures": [{**one.model_dump(mode="json"), "net_units": str(one.net_units)} for one in view.exposures],
        "trades": [_trade(one.trade, one.floating) for one in view.trades],
        "foreign": [_trade(one.trade, one.floating) for one in view.foreign],
        "orders": [_order(order) for order in view.orders],
    }


def _trade(trade: Trade, floating: object) -> dict[str, Any]:
    keys = ("instance", "magic", "trade_id", "broker_trade_id", "instrument", "side", "units", "open_price")
    values = trade.model_dump(mode="json")
    return {
        **{key: values[key] for key in keys},
        "open_time": iso_from_ns(trade.open_time_ns),
        **{key: values[key] for key in ("stop_loss", "take_profit", "trailing_distance")},
        "floating": None if floating is None else str(floating),
    }


def _order(order: Order) -> dict[str, Any]:
    intent = order.intent.model_dump(mode="json")
    keys = ("instance", "magic", "instrument", "action", "side", "order_type", "price")
    return {
        "client_id": order.client_id,
        "state": order.state.value,
        **{key: intent[key] for key in keys},
        "units": None if order.units is None else str(order.units),
        "filled_units": str(order.filled_units),
        "reason": order.reason,
        "created": iso_from_ns(order.created_ns),
    }
