"""A journal on a file system of a few MB that somebody else fills: exits live on the reserve.

Run in a mount namespace of its own: mounts a small file system over the argument and fills it. Prints a word for each
thing seen.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from broker_api.journal import Journal, JournalFull
from broker_api.journal.reserve import RESERVE_BYTES
from tests.support.full_disk import order_batch

EXITS = 500


def fill(path: Path) -> None:
    """Write until nothing fits any more."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


async def main(directory: Path) -> None:
    """Fill the disk, trade out, empty it, trade on."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={3 * RESERVE_BYTES}", "tmpfs", str(directory)], check=True)
    journal = Journal(directory / "paper.db")
    await journal.commit(order_batch(1, "open"))
    hog = directory / "hog"
    fill(hog)
    n = 1
    while not journal.is_full:  # the log has some room of its own
        n += 1
        try:
            await journal.commit(order_batch(n, "open"))
        except JournalFull:
            print("refused")
    for number in range(n + 1, n + 1 + EXITS):
        await journal.commit(order_batch(number, "exit"))
        await journal.commit(order_batch(number + EXITS, "fact"))
    print("exits", "still-full" if journal.counters["failures"] and journal.is_full else "recovered")
    hog.unlink()
    async with asyncio.timeout(60):
        while journal.is_full:
            await asyncio.sleep(0.01)
    print("well")
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
