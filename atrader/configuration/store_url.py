"""Addresses of database servers as people write them down. Pure."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

EMBEDDED: Final = "embedded"
POSTGRESQL: Final = ("postgresql://", "postgres://")


def check_store(value: str) -> str:
    """Return where the store is.

    Raises
    ------
    ValueError
        When it is no such place, or holds a password; the message does not repeat it.
    """
    if value == EMBEDDED:
        return value
    if not value.startswith(POSTGRESQL):
        raise ValueError("expected 'embedded' or 'postgresql://USER@HOST/DATABASE'")
    if has_password(value):
        raise ValueError(
            "write no password into the address: leave it out, and say where it is kept with store_password ="
            " 'env:NAME', 'file:/absolute/path' or 'keyring:service/name'"
        )
    return value


def _checked(value: str) -> str:
    try:
        return check_store(value)
    except ValueError as error:  # a kind whose value is never shown
        raise PydanticCustomError("secret", "{text}", {"text": str(error)}) from None


StoreName = Annotated[str, AfterValidator(_checked)]
"""``embedded``, or the address of a server without a password."""


def without_password(url: str) -> str:
    """Return a URL as it may be shown and logged."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    query = "&".join(one for one in parts.query.split("&") if one and "password" not in one.lower())
    return urlunsplit((parts.scheme, f"{name}{at}{hosts}", parts.path, query, ""))


def has_password(url: str) -> bool:
    """Tell whether somebody wrote a password into a URL."""
    parts = urlsplit(url)
    return ":" in parts.netloc.rpartition("@")[0] or "password" in parts.query.lower()
