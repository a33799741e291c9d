"""Lines out of a chunked stream, and the watch that it does not fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx

from atrader.errors import BrokerUnavailable

_MAX_LINE_BYTES: Final = 1024 * 1024


async def lines_of(response: httpx.Response, silence_s: Callable[[], float]) -> AsyncIterator[bytes]:
    """Yield the whole lines of a response, without their ends and without empty ones; never ends by itself.

    Chunks and lines have nothing to do with each other: one may be cut anywhere.

    Parameters
    ----------
    silence_s : callable
        Returns for how long a whole line may stay away, seconds; asked for each.

    Raises
    ------
    BrokerUnavailable
        When the stream ends, breaks in mid-line, or falls silent.
    """
    chunks = response.aiter_raw()
    begun = b""
    while True:
        allowed_s = silence_s()
        try:
            async with asyncio.timeout(allowed_s):
                *lines, begun = await _more(chunks, begun)
        except TimeoutError as error:
            raise BrokerUnavailable(f"OANDA: the stream was silent for {allowed_s:g} s") from error
        except httpx.HTTPError as error:
            raise BrokerUnavailable(f"OANDA: the stream broke: {type(error).__name__} {error}".rstrip()) from error
        for line in lines:
            if line := line.strip():
                yield line


async def _more(chunks: AsyncIterator[bytes], begun: bytes) -> list[bytes]:
    """Read until at least one line is whole; the last item is the beginning of the next one."""
    parts = [begun]
    size = len(begun)
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if b"\n" in chunk:
            return b"".join(parts).split(b"\n")
        if size > _MAX_LINE_BYTES:
            raise BrokerUnavailable(f"OANDA: a line of more than {_MAX_LINE_BYTES >> 20} MB")
    raise BrokerUnavailable("OANDA: the stream ended")
