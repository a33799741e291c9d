"""Lines out of a chunked stream, and the watch that it does not fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from atrader.errors import BrokerUnavailable
from broker_api.oanda.http_answer import BadAnswer
from broker_api.oanda.http_connection import Connection

_MAX_LINE_BYTES: Final = 1024 * 1024


async def lines_of(connection: Connection, silence_s: Callable[[], float]) -> AsyncIterator[list[bytes]]:
    """Yield the lines of an answer as they come whole, all of a moment at once; never ends by itself.

    They are without their ends, and empty ones are left out.

    Chunks and lines have nothing to do with each other: one may be cut anywhere.

    Parameters
    ----------
    silence_s : callable
        Returns for how long a whole line may stay away, seconds; asked now and then.

    Raises
    ------
    BrokerUnavailable
        When the stream ends, breaks in mid-line, or falls silent.
    """
    begun = b""
    watch = _Watch(silence_s)
    try:
        while True:
            watch.begin()
            try:
                *lines, begun = await _more(connection, begun)
            except asyncio.CancelledError:
                if not watch.is_over():
                    raise
                raise BrokerUnavailable(f"OANDA: the stream was silent for {watch.allowed_s:g} s") from None
            except (OSError, BadAnswer) as error:
                raise BrokerUnavailable(f"OANDA: the stream broke: {type(error).__name__} {error}".rstrip()) from error
            watch.end()
            if whole := [line for text in lines if (line := text.strip())]:
                yield whole
    finally:
        watch.close()


class _Watch:
    """Breaks a wait off that lasts too long, as `asyncio.timeout` does, but with one timer for many waits.

    How long is too long is asked when a timer is set, and again when it is due: not for each of a thousand lines.
    """

    def __init__(self, silence_s: Callable[[], float]) -> None:
        self._silence_s = silence_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._fired = False
        self.allowed_s = 0.0

    def begin(self) -> None:
        """Begin a wait of the task that calls."""
        self._since_s = self._loop.time()
        self._waiting = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task is not None else 0
        if self._timer is None:
            self._set()

    def end(self) -> None:
        """End it: something came."""
        self._waiting = None

    def is_over(self) -> bool:
        """Tell whether the cancellation that arrived is this watch's own, and take it back if so."""
        waiting, self._waiting = self._waiting, None
        # Another one may have come beside it: that goes on.
        return self._fired and waiting is not None and waiting.uncancel() <= self._cancelling

    def close(self) -> None:
        """End for good."""
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.allowed_s = self._silence_s()
        self._timer = self._loop.call_at(self._since_s + self.allowed_s, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets it again
        self.allowed_s = self._silence_s()
        if self._loop.time() < self._since_s + self.allowed_s:
            self._set()
        else:
            self._fired = True
            self._waiting.cancel()


async def _more(connection: Connection, begun: bytes) -> list[bytes]:
    """Read until at least one line is whole; the last item is the beginning of the next one."""
    parts = [begun]
    size = len(begun)
    while chunk := await connection.part():
        parts.append(chunk)
        size += len(chunk)
        if b"\n" in chunk:
            return b"".join(parts).split(b"\n")
        if size > _MAX_LINE_BYTES:
            raise BrokerUnavailable(f"OANDA: a line of more than {_MAX_LINE_BYTES >> 20} MB")
    raise BrokerUnavailable("OANDA: the stream ended")
