"""Secrets: configuration holds references to them, and nothing that prints, logs or travels shows more than ``***``."""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from atrader.errors import ConfigError

_MASK = "***"
_FORMS = "'env:NAME', 'file:/absolute/path' or 'keyring:service/name'"


class SecretRef:
    """Where a secret is kept: ``env:NAME``, ``file:/absolute/path`` or ``keyring:service/name``.

    It resolves when asked and keeps nothing. ``str``, ``repr`` and JSON show ``***``: a reference is often a secret
    that somebody pasted into the wrong place.

    Parameters
    ----------
    reference : str
        One of the three forms.

    Raises
    ------
    ValueError
        When it is none of them; the message does not repeat it.
    """

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        kind, colon, place = reference.partition(":")
        service, slash, name = place.partition("/")
        known = {"env": bool(place), "file": place.startswith("/"), "keyring": bool(service and slash and name)}
        if not colon or not known.get(kind, False):
            raise ValueError(f"expected a reference to a secret: {_FORMS}; never write the secret itself here")
        self._reference = reference

    @property
    def kind(self) -> str:
        """One of ``env``, ``file``, ``keyring``."""
        return self._reference.partition(":")[0]

    def resolve(self) -> str:
        """Fetch the secret. May be called again, and reads the place again each time.

        Raises
        ------
        ConfigError
            When it is not there, is empty, or others may read its file. The message names the place, not the value.
        """
        place = self._reference.partition(":")[2]
        value = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}[self.kind](place)
        if not value:
            raise ConfigError(f"the secret in {self.kind}:{place} is empty")
        return value

    def __str__(self) -> str:
        return _MASK

    def __repr__(self) -> str:
        return f"SecretRef('{_MASK}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretRef) and other._reference == self._reference

    def __hash__(self) -> int:
        return hash(self._reference)

    def __reduce__(self) -> tuple[type[SecretRef], tuple[str]]:
        """Pickle as the reference: the secret itself never enters a pickle."""
        return (SecretRef, (self._reference,))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a reference as text, and serialise it as ``***``."""
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.union_schema(
            [core_schema.is_instance_schema(cls), from_text],
            mode="left_to_right",
            custom_error_type="secret",
            custom_error_message=f"expected a reference to a secret: {_FORMS}; never write the secret itself here",
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(
            f"the environment has no variable {name}, which a secret refers to: set it, and start the fleet again from"
            " there (a running manager keeps the environment it was started in)"
        )
    return value


def _from_file(name: str) -> str:
    path = Path(name)
    try:
        # One descriptor for check and reading: the file cannot be exchanged in between.
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"the secret file {path} is no regular file")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise ConfigError(f"others may use the secret file {path}: run chmod 600 {path}")
            if status.st_uid not in (os.geteuid(), 0):
                raise ConfigError(f"the secret file {path} belongs to another user")
            return file.read().decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"the secret file {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the secret file {path} is not UTF-8 text") from None  # the cause shows the bytes


def _from_keyring(place: str) -> str:
    service, _, name = place.partition("/")
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError as error:
        raise ConfigError("a secret refers to the keyring, and the package 'keyring' is not installed") from error
    try:
        value: str | None = keyring.get_password(service, name)
    except errors.KeyringError as error:
        raise ConfigError(f"the keyring cannot be read: {type(error).__name__}") from error
    if value is None:
        raise ConfigError(f"the keyring has no {name} of {service} (a secret refers to it)")
    return value
