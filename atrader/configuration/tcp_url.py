"""The address of a data layer on another host: one URL, three ports."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

CALL, BULK, STREAM = range(3)
"""Services behind the URL: on the port that it names, and on the two after it."""

_LAST_PORT: Final = 65535


def service_url(url: str, service: int) -> str:
    """Return the URL of one of the three services behind ``tcp://HOST:PORT``.

    Raises
    ------
    ValueError
        When it is no such URL, or the port leaves no room for those after it.
    """
    parts = urlsplit(url)
    port = parts.port
    if parts.scheme != "tcp" or not parts.hostname or port is None or parts.path or parts.username:
        raise ValueError(f"{url!r}: expected tcp://HOST:PORT")
    if not 0 < port <= _LAST_PORT - STREAM:
        raise ValueError(
            f"{url!r}: the data layer takes the port and the two after it; take 1 to {_LAST_PORT - STREAM}"
        )
    return f"{url.rpartition(':')[0]}:{port + service}"


def checked_url(url: str) -> str:
    """Return the URL if it is one; for a field of the configuration."""
    service_url(url, CALL)
    return url
