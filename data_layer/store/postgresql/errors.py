"""What psycopg raises, as people should read it."""

from __future__ import annotations

from typing import Final

import psycopg

from atrader.errors import StoreError, StoreUnavailable
from data_layer.store.postgresql.address import Address, Connection

_GOING_AWAY: Final = (
    "57P01",  # the server is being shut down
    "57P02",  # another process of the server crashed
    "57P03",  # it is starting, or recovering
    "57P05",  # a session was idle for too long
    "25P03",  # idle in a transaction for too long
    "25006",  # we are connected to a standby: the primary is somewhere else now
    "53300",  # too many connections
    "40001",  # two transactions at once: the same again works
    "40P01",
)
_FULL: Final = ("53100", "58030")  # disk full, input or output error
_DENIED: Final = "42501"
_MISSING: Final = ("42P01", "3F000")  # no such table, no such schema


def is_passing(error: psycopg.Error, connection: Connection | None) -> bool:
    """Tell whether the same may work on another connection a moment later."""
    if error.sqlstate in _GOING_AWAY or (connection is not None and connection.closed):
        return True
    return error.sqlstate is None and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))


def away(address: Address, error: psycopg.Error) -> StoreUnavailable:
    """Make the error of a server that is not there."""
    return StoreUnavailable(
        f"{address} cannot be reached: {_text(error)}; is the server running, and do address, user and password"
        " (data.store, data.store_password) hold? What waits is stored when it is back"
    )


def store_error(address: Address, error: psycopg.Error) -> StoreError:
    """Make the error of a server that is there and refuses."""
    if error.sqlstate in _FULL:
        text = f"{address} cannot be written ({_text(error)}): make room on the disk of the server"
        return StoreError(text, details={"read_only": True})
    if error.sqlstate == _DENIED:
        text = (
            f"{address}: {_text(error)}: the user of data.store must own the schema 'atrader'; the administrator of"
            " the database makes it with: CREATE SCHEMA atrader AUTHORIZATION the_user"
        )
        return StoreError(text)
    if error.sqlstate in _MISSING:
        return StoreError(f"{address} holds no store yet ({_text(error)})", details={"missing": True})
    return StoreError(f"{address}: {_text(error)}")


def damaged(address: Address, reason: str) -> StoreError:
    """Make the error of contents that cannot be right."""
    return StoreError(
        f"the store in {address} is damaged ({reason}): stop the fleet and restore the database from a backup, or"
        " import the bars again; the journals of the gateways hold the orders",
        details={"damaged": True},
    )


def _text(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
