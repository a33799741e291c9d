"""Trades and orders in journals that no process holds any more: people hear of them, nobody drops them silently."""

from __future__ import annotations

from collections.abc import Iterator

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import StoreError
from atrader.messages.gateway import Orphan
from broker_api.gateway.holdings import orphans_among
from broker_api.journal.looking import looking_into
from manager.plan import holder_of


def left_in_journal(home: Home, account: str) -> tuple[Orphan, ...]:
    """Return who has open trades or orders without an outcome in an account's journal, by magic number.

    Empty as well when there is no journal, or none that can be read.
    """
    try:
        with looking_into(home.journal(account)) as journal:
            trades, orders = journal.open_trades(), tuple(entry.order for entry in journal.open_orders())
    except StoreError:
        return ()
    return orphans_among([trade for trade in trades if trade.magic], orders, frozenset())


def unheld(home: Home, installation: Installation) -> Iterator[tuple[str, str]]:
    """Yield each account that no process of the configuration holds, and what its journal has nevertheless."""
    for path in sorted(home.journal("any").parent.glob("*.db")):
        if holder_of(installation, path.stem) is None and (left := left_in_journal(home, path.stem)):
            yield path.stem, leaves(left)


def leaves(left: tuple[Orphan, ...]) -> str:
    """Say what is left, and who looks after it."""
    held = ", ".join(
        f"{one.instance} (magic {one.magic}): open trades {one.open_trades}, working orders {one.live_orders}"
        for one in left
    )
    return f"its journal has of {held}; only stops at the broker look after them"
