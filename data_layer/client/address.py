"""Where a data layer is: on this host, or behind a port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from atrader.bus import CurveKeys
from atrader.configuration.home import Home
from atrader.configuration.tcp_url import BULK, CALL, STREAM, service_url
from atrader.errors import ConfigError


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
        try:
            return cls(service_url(url, CALL), service_url(url, BULK), service_url(url, STREAM), curve)
        except ValueError as error:
            raise ConfigError(str(error)) from error
