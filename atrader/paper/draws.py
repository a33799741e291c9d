"""Chance that can be repeated.

A draw depends on the account's seed, a name (the client id, or the ticket for stops) and a purpose, and on nothing
else: not on the order in which orders arrive, not on how many were drawn before, not on restarts.
"""

from __future__ import annotations

from hashlib import blake2b


def draw(seed: int, name: str, purpose: str) -> float:
    """Return a number, uniform in [0, 1), that belongs to seed, name and purpose."""
    digest = blake2b(f"{seed}|{name}|{purpose}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2.0**53
