"""Addresses of sockets: what may be bound or connected to, checked before ZeroMQ sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from atrader.errors import ConfigError

MAX_IPC_PATH_BYTES: Final = 107
"""What fits into ``sun_path`` of Linux with its closing zero byte."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of one socket.

    Attributes
    ----------
    transport : {"ipc", "tcp"}
        A socket file on this host, or a port; the latter only ever with CURVE.
    address : str
        The whole address as ZeroMQ takes it.
    """

    transport: Literal["ipc", "tcp"]
    address: str

    def __str__(self) -> str:
        return self.address

    @property
    def path(self) -> Path | None:
        """The socket file of an ipc endpoint."""
        return Path(self.address.removeprefix("ipc://")) if self.transport == "ipc" else None

    @classmethod
    def parse(cls, text: str | Endpoint) -> Endpoint:
        """Read ``ipc:///path/of/file`` or ``tcp://host:port`` (port 0: the system chooses, for servers).

        Raises
        ------
        ConfigError
            When it is neither, or the path is longer than the kernel takes.
        """
        if isinstance(text, Endpoint):
            return text
        if text.startswith("ipc://"):
            return cls("ipc", _checked_path(text))
        if text.startswith("tcp://"):
            return cls("tcp", _checked_host(text))
        raise ConfigError(f"endpoint {text!r}: expected ipc:///path or tcp://host:port")

    def require_keys(self, present: bool) -> None:
        """Refuse a tcp endpoint without CURVE keys: whoever reaches the port could give orders.

        Raises
        ------
        ConfigError
            For tcp when no keys are present.
        """
        if self.transport == "tcp" and not present:
            raise ConfigError(
                f"endpoint {self.address}: tcp needs CURVE keys; make them with 'atrader-manager keys' or use ipc://"
            )


def _checked_path(text: str) -> str:
    path = text.removeprefix("ipc://")
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError(f"endpoint {text!r}: expected the absolute path of a socket file after ipc://")
    length = len(path.encode("utf-8", "surrogateescape"))
    if length > MAX_IPC_PATH_BYTES:
        raise ConfigError(
            f"endpoint {text!r}: the path has {length} bytes, a socket file may have {MAX_IPC_PATH_BYTES};"
            " use a shorter run directory (such as /run/atrader)",
            details={"bytes": length, "limit": MAX_IPC_PATH_BYTES},
        )
    return text


def _checked_host(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"endpoint {text!r}: {error}") from error
    plain = f"tcp://[{host}]:{port}" if host and ":" in host else f"tcp://{host}:{port}"
    if not host or port is None or plain.lower() != text.lower():
        raise ConfigError(f"endpoint {text!r}: expected tcp://host:port")
    return text
