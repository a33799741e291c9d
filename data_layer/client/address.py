"""Where a data layer is: on this host, or behind a port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from atrader.bus import CurveKeys
from atrader.configuration.home import Home
from atrader.errors import ConfigError

CALL, BULK, STREAM = range(3)
"""Services of a tcp address, each on a port of its own: the one named, and the two after it."""


@dataclass(frozen=True, slots=True)
class DataAddress:
    """Endpoints of one data layer.

    Attributes
    ----------
    call, bulk, stream : str
        Of its three services.
    curve : CurveKeys, optional
        Of a tcp address.
    """

    call: str
    bulk: str
    stream: str
    curve: CurveKeys | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is on this host."""
        return self.curve is None

    @classmethod
    def of_home(cls, home: Home) -> DataAddress:
        """Return the address of the data layer of an installation on this host."""
        return cls(home.endpoint("data.call"), home.endpoint("data.bulk"), home.endpoint("data.stream"))

    @classmethod
    def of_url(cls, url: str, keys: CurveKeys | Path | str) -> DataAddress:
        """Return the address behind ``tcp://HOST:PORT``; the two ports after it belong to it as well.

        Parameters
        ----------
        keys : CurveKeys or path
            The keys, or the folder that holds ``server.public``, ``client.public`` and ``client.secret``.

        Raises
        ------
        ConfigError
            When the URL is none, or a key is missing, malformed or readable by others.
        """
        curve = keys if isinstance(keys, CurveKeys) else CurveKeys.load(Path(keys))
        return cls(service_url(url, CALL), service_url(url, BULK), service_url(url, STREAM), curve)


def service_url(url: str, service: int) -> str:
    """Return the URL of one of the three services behind ``tcp://HOST:PORT``.

    Raises
    ------
    ConfigError
        When it is no such URL, or the port leaves no room for the services after it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{url!r}: {error}; expected tcp://HOST:PORT") from error
    if parts.scheme != "tcp" or not parts.hostname or port is None or parts.path:
        raise ConfigError(f"{url!r}: expected tcp://HOST:PORT")
    if not 0 < port <= 65535 - STREAM:
        raise ConfigError(f"{url!r}: port {port} leaves no room: the data layer takes it and the two after it")
    return f"{url.rpartition(':')[0]}:{port + service}"
