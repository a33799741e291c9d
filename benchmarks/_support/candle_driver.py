"""A backfill that never ends: asks a gateway for candles, many pages at once, until it is killed.

Arguments: installation, account, instrument, pages at once. Prints a line when the first page is there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from atrader.bus import CallClient
from atrader.clock import NS_PER_S, SystemClock
from atrader.configuration.home import Home
from atrader.errors import Retryable
from atrader.messages.gateway import GetCandles

_PAGE_S = 600
_PATIENCE_S = 5.0


async def ask(client: CallClient, instrument: str) -> None:
    """Ask for one page after another."""
    said = False
    while True:
        now_ns = SystemClock().now_ns()
        request = GetCandles(
            instrument=instrument, timeframe="1m", start_ns=now_ns - 7200 * NS_PER_S,
            end_ns=now_ns - (7200 - _PAGE_S) * NS_PER_S,
        )  # fmt: skip
        try:
            await client.call_frames(request, _PATIENCE_S)
        except Retryable:
            continue
        if not said:
            said = True
            print("a page", flush=True)


async def main(root: str, account: str, instrument: str, pages: str) -> None:
    """Keep so many requests waiting."""
    client = CallClient(Home(Path(root)).endpoint(f"gateway.{account}.call"))
    await asyncio.gather(*(ask(client, instrument) for _ in range(int(pages))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
