"""Identities: how an intent's id becomes the client order id that every venue accepts.

Form: ``a``, six base-36 digits of the magic number, ``w`` (worker) or ``g`` (gateway), the counter in base 36;
at most 18 characters of ``[a-z0-9]`` starting with a letter - the only form valid on all venues we know.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

MAX_MAGIC = 2**31 - 1
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAGIC_WIDTH = 6


class IntentId(NamedTuple):
    """Identity of an intent: the instance's magic number and a counter.

    ``n`` > 0 counts a worker's intents; ``n`` < 0 those the gateway makes itself (protective exits, flattening).
    """

    magic: int
    n: int

    def __str__(self) -> str:
        return f"{self.magic}:{self.n}"


_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def _base36(number: int) -> str:
    high, low = divmod(number, len(_PAIRS))
    if not high:
        return _PAIRS[low] if low >= len(_DIGITS) else _DIGITS[low]
    return _head(high) + _PAIRS[low]


@lru_cache(maxsize=64)
def _head(number: int) -> str:
    """Return the digits before the last two: the same for many numbers in a row."""
    return _base36(number)


def client_id_of(intent_id: IntentId) -> str:
    """Derive the client order id of an intent; the same intent always gives the same id.

    Raises
    ------
    ValueError
        When the magic number is outside 1..2**31-1 or the counter is zero.
    """
    return client_id(*intent_id)


@lru_cache(maxsize=4096)
def client_id(magic: int, n: int) -> str:
    """Derive the client order id of magic number and counter; see `client_id_of`."""
    if not 0 < magic <= MAX_MAGIC or n == 0:
        raise ValueError(f"no valid intent id: {magic}:{n}")
    return f"a{_owner(magic)}{'w' if n > 0 else 'g'}{_base36(abs(n))}"


@cache
def _owner(magic: int) -> str:
    return _base36(magic).rjust(_MAGIC_WIDTH, "0")


@lru_cache(maxsize=4096)
def intent_id_of(client_id: str) -> IntentId | None:
    """Read the intent id back from a client order id; None when the id is not one of ours."""
    head, kind, tail = client_id[1 : 1 + _MAGIC_WIDTH], client_id[7:8], client_id[8:]
    if client_id[:1] != "a" or kind not in ("w", "g") or not tail or len(client_id) > 18:
        return None
    if any(character not in _DIGITS for character in head + tail):
        return None
    found = IntentId(int(head, 36), int(tail, 36) * (1 if kind == "w" else -1))
    if not 0 < found.magic <= MAX_MAGIC or found.n == 0 or client_id_of(found) != client_id:
        return None
    return found
