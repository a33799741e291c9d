"""Addresses of HTTP services, and whether credentials may travel to them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def checked_web_url(url: str, *, allow_http: bool, name: str = "url") -> str:
    """Return the URL if credentials may be sent to it.

    Parameters
    ----------
    url : str
        ``https://HOST``; ``http://`` only for this host itself, or when allowed.
    allow_http : bool
        Whether another host may be spoken to without encryption.
    name : str
        Of the key, for errors.

    Raises
    ------
    ValueError
        When it is no such URL, holds credentials, or would send ours unencrypted.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: expected http://HOST or https://HOST, was {url!r}")
    if parts.username or parts.password:
        raise ValueError(f"{name}: must not hold a user or password; they have keys of their own")
    if parts.scheme == "http" and not allow_http and not is_local(parts.hostname):
        raise ValueError(f"{name}: credentials would travel unencrypted; use https")
    return url


def is_local(host: str) -> bool:
    """Tell whether a host is this one, as a number or as ``localhost``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
