"""Plain stream messages by compiled code, where it was built; Python reads everything else, and all of it elsewhere.

A plain message has two short frames, a kind all of whose fields are plain, and the next number of a topic that is
followed. Nearly all are. Either way the same comes out (`tests/property/test_plain_reading.py`).
"""

from __future__ import annotations

import os
from collections.abc import Container
from typing import Any

from atrader.compiled_parts import are_current

try:
    from atrader.bus import _reading as compiled

    is_there = are_current(compiled)
except ImportError:  # built where there is no compiler
    is_there = False


def receive_bytes(descriptor: int, buffer: memoryview, messages: list[list[bytes]]) -> tuple[int, int]:
    """Read what a socket has; return how many bytes of the buffer that are, and how many of them are dealt with: none.

    -1 bytes: nothing has come; 0: the other side is gone.
    """
    try:
        return os.readv(descriptor, [buffer]), 0
    except BlockingIOError:
        return -1, 0
    except OSError:
        return 0, 0


def read_nothing(
    messages: list[list[bytes]],
    at: int,
    plain: dict[bytes, tuple[str, type, bytes]],
    seen: dict[str, tuple[int, int]],
    retired: Container[int],
    message_type: type,
    items: list[Any],
) -> int:
    """Append messages, beginning with number `at`, up to the first that is not plain: none; return its number.

    Parameters
    ----------
    plain : dict
        `PLAIN_SCHEMAS`.
    seen : dict of str to (int, int)
        Epoch and last number of each topic that is followed; brought up to date.
    retired : container of int
        Epochs whose messages are dropped.
    """
    return at


def receive_unread(
    descriptor: int,
    buffer: memoryview,
    limit: int,
    plain: dict[bytes, tuple[str, type, bytes]],
    seen: dict[str, tuple[int, int]],
    retired: Container[int],
    message_type: type,
    items: list[Any],
) -> tuple[int, int, int]:
    """Do what `receive_bytes` and then `read_nothing` do; the third number is that of the messages appended: none.

    Parameters
    ----------
    limit : int
        How many messages may be appended.
    """
    return *receive_bytes(descriptor, buffer, []), 0


receive = compiled.receive if is_there else receive_bytes
"""The same, where a message begins; the frames of plain ones are appended to `messages`, and dealt with."""

read_plain = compiled.read_plain if is_there else read_nothing
"""The same, with plain ones read."""

receive_plain = compiled.receive_plain if is_there else receive_unread
"""Both in one step, where a message begins: what a process does that was woken for a quote."""
