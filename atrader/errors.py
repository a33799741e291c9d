"""The errors of atrader, cut by what the caller should do about them.

Every error has a stable ``code``: it crosses the bus, and the receiving side raises the same class again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class AtraderError(Exception):
    """Raised when atrader itself refuses or fails; the root of every error of ours.

    Parameters
    ----------
    message : str
        What happened, in one sentence for the person who has to act.
    details : Mapping of str to object, optional
        Values a program may want (plain MessagePack types only: they cross the wire).
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the details (exceptions forget keyword arguments otherwise)."""
        return (_rebuild, (type(self), self.message, self.details))


class ConfigError(AtraderError):
    """Raised when configuration is wrong: do not start, tell the person which file and key."""

    code = "config"


class Retryable(AtraderError):
    """Raised when nothing was done and the same call may simply be made again later."""

    code = "retryable"


class DeadlineExceeded(Retryable):
    """Raised when no answer came in time to a call that only reads."""

    code = "deadline"


class UnknownOutcome(AtraderError):
    """Raised when a call that acts may or may not have acted: look the result up, never repeat it blindly."""

    code = "unknown-outcome"


class Rejected(AtraderError):
    """Raised when a request was understood and finally refused; ``details["reason"]`` holds the reason code."""

    code = "rejected"


class WireError(AtraderError):
    """Raised when bytes from a socket are no message of ours, or of a version we do not speak."""

    code = "wire"


class InternalError(AtraderError):
    """Raised in the caller when the other side failed in a way nobody foresaw; its log has the traceback."""

    code = "internal"


class InvariantBroken(AtraderError):
    """Raised when something that must always hold does not: stop this process, never trade on."""

    code = "invariant"


class StrategyError(AtraderError):
    """Raised when the code of a strategy fails or breaks its contract."""

    code = "strategy"


class StoreError(AtraderError):
    """Raised when a store cannot be opened, read or written (disk full, damaged, newer than this program)."""

    code = "store"


class StoreUnavailable(StoreError, Retryable):
    """Raised when a store is away for a while (its server restarts): the same may be asked again, nothing is lost."""

    code = "store-unavailable"


class BrokerUnavailable(Retryable):
    """Raised when the broker is in maintenance or cannot be reached: wait, do not exit."""

    code = "broker-unavailable"


def _rebuild(kind: type[AtraderError], message: str, details: Mapping[str, object]) -> AtraderError:
    return kind(message, details=details)


def _all_classes(root: type[AtraderError]) -> list[type[AtraderError]]:
    return [root, *(found for child in root.__subclasses__() for found in _all_classes(child))]


def error_class(code: str) -> type[AtraderError]:
    """Find the error class of a code.

    Parameters
    ----------
    code : str
        The ``code`` an error carried over the wire.

    Returns
    -------
    type of AtraderError
        The class, or `AtraderError` itself for a code this version does not know.
    """
    return next((kind for kind in _all_classes(AtraderError) if kind.__dict__.get("code") == code), AtraderError)
