"""Commits one order after another and says so, until it is killed. Argument: path of the journal."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from broker_api.journal import Batch, Entry, Journal, digest_of
from tests.support.orders import make_intent, make_order


async def main() -> None:
    """Write for ever."""
    journal, n = Journal(Path(sys.argv[1])), 0
    while True:
        n += 1
        intent, batch = make_intent(n), Batch("paper")
        batch.order(Entry(make_order(intent), 0, digest_of(intent)))
        await journal.commit(batch)
        print(n, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
