"""Where a PostgreSQL store is, as people write it down; connecting to it. No password is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict

from atrader.configuration.store_url import without_password
from atrader.errors import ConfigError, StoreError

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_OLDEST: Final = 130000  # the oldest release that its makers still mended when this was written
_APPLICATION_NAME_BYTES: Final = 63
_DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within these, not after the kernel's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
_SETTINGS: Final = (
    # The same seen from the server: a dead host must not hold the lock of the writer for long.
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET search_path = atrader",
    "SET client_min_messages = warning",
    "SET timezone = 'UTC'",
)


class Address:
    """A database of a server, and how to get in.

    Parameters
    ----------
    url : str
        ``postgresql://USER@HOST:PORT/DATABASE?option=value`` as libpq reads it; several hosts may be named.
    password : callable, optional
        Fetches the password at each connection; default: libpq's own places (PGPASSWORD, ~/.pgpass).
    """

    def __init__(self, url: str, password: Callable[[], str] | None = None) -> None:
        self._url = url
        self._password = password

    def __str__(self) -> str:
        return without_password(self._url)

    def __repr__(self) -> str:
        return f"Address({self!s})"

    def connect(self, name: str, **options: Any) -> Connection:
        """Open a connection in autocommit mode; blocks 5 s a host at most.

        Parameters
        ----------
        name : str
            Shown by the server to whoever asks who is connected.
        **options
            More parameters of libpq; those in the URL win.

        Raises
        ------
        ConfigError
            When the URL cannot be read.
        StoreError
            When the server is too old.
        psycopg.OperationalError
            When it cannot be reached or refuses.
        """
        try:
            written = conninfo_to_dict(self._url)
        except psycopg.ProgrammingError as error:
            raise ConfigError(f"data.store: {self} is no address of a database: {error}") from None
        secret = {} if self._password is None else {"password": self._password()}
        parameters = {**_DEFAULTS, **options, **written, **secret, "application_name": _cut(name)}
        connection: Connection = psycopg.connect(**parameters, autocommit=True)
        try:
            self._check(connection)
            for setting in _SETTINGS:
                connection.execute(setting)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: Connection) -> None:
        version = connection.info.server_version
        if version < _OLDEST:
            raise StoreError(
                f"{self} is PostgreSQL {version // 10000}: atrader needs {_OLDEST // 10000} or newer",
                details={"found": version},
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreError(f"{self} has the encoding {encoding}: make a database with ENCODING 'UTF8'")


def _cut(name: str) -> str:
    return name.encode()[:_APPLICATION_NAME_BYTES].decode(errors="ignore")
