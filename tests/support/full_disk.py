"""A journal whose files may not grow, as on a full disk, and what becomes of each kind of batch.

The limit on file sizes of this process makes the kernel refuse the writes. Argument: path of the journal. Prints a word
for each thing seen.
"""

import asyncio
import resource
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from broker_api.journal import Batch, Entry, Journal, JournalFull, digest_of
from tests.support.orders import make_intent, make_order


def order_batch(n: int, kind: str) -> Batch:
    """Return a batch with one order."""
    intent, batch = make_intent(n), Batch("paper", kind)  # type: ignore[arg-type]
    batch.order(Entry(make_order(intent), 0, digest_of(intent)))
    return batch


async def main() -> None:
    """Fill the disk, see, make room, see."""
    journal = Journal(Path(sys.argv[1]))
    troubles: list[str] = []
    journal.on_trouble = lambda error: troubles.append("well" if error is None else "full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    refused = await asyncio.gather(journal.commit(order_batch(1, "open")), return_exceptions=True)
    if isinstance(refused[0], JournalFull) and journal.is_full and troubles == ["full"]:
        print("refused")
    facts = [asyncio.ensure_future(journal.commit(order_batch(n, "fact"))) for n in (2, 3)]
    await asyncio.sleep(0.05)
    if not any(fact.done() for fact in facts) and journal.waiting == 2:
        print("waits")
    refused = await asyncio.gather(journal.commit(order_batch(4, "exit")), return_exceptions=True)
    if isinstance(refused[0], JournalFull):
        print("exit-refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    async with asyncio.timeout(60):
        await asyncio.gather(*facts)
        while journal.is_full:
            await asyncio.sleep(0.01)
    if troubles == ["full", "well"]:
        print("well")
    await journal.commit(order_batch(5, "open"))
    found = [entry.order.intent.n for entry in journal.read.open_orders()]
    if sorted(found) == [2, 3, 5]:
        print("written")
    if found == sorted(found):
        print("ordered")
    journal.close()


if __name__ == "__main__":
    asyncio.run(main())
