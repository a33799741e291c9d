"""Both embedded stores whose files may not grow, as on a full disk, in the middle of appends; and how they go on.

The limit on file sizes of this process makes the kernel refuse the writes. Argument: a directory. Prints a word for
each thing seen.
"""

import resource
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from atrader.errors import StoreError
from atrader.messages.history import QueryHistory
from data_layer.store import MarketBatch
from data_layer.store.history_sqlite import SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.store_killing import PAIR, bars, events

_ROOM = 3_000_000  # bytes: some appends fit, and one of them fails in the middle


def append(market: SqliteMarketStore, history: SqliteHistoryStore, number: int) -> None:
    """Store one more bar and one more row."""
    market.write(MarketBatch("1m", "feed", [(PAIR, bars(1, number).row(0))], [], {}))
    history.append([("x", events(1, number + 1))])


def main(directory: Path) -> None:
    """Fill the disk, see, make room, see."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    market = SqliteMarketStore(directory / "market.db", "test")
    history = SqliteHistoryStore(directory / "history.db", "test")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, unlimited[1]))
    number = 0
    try:
        while True:
            append(market, history, number)
            number += 1
    except StoreError as error:
        if error.details["read_only"]:
            print("read-only")
    stored, rows = market.bars(PAIR, "1m"), history.query(QueryHistory(table="events"))
    print("readable")
    if len(stored) in (number, number + 1) and len(rows) == number > 5:
        print("whole")
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    for again in range(number, number + 50):
        append(market, history, again)
    if len(market.bars(PAIR, "1m")) == len(history.query(QueryHistory(table="events"))) == number + 50:
        print("written")
    market.tidy()
    history.tidy()
    if not [damage for _, found in market.damages() for damage in found]:
        print("sound")
    market.close()
    history.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
