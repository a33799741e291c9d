"""Writers of both embedded stores, killed at random moments, many times; every state they leave is read and compared.

    store_killing.py DIRECTORY KILLS SEED

Forks writers that append and count what they were told is stored; kills each after a random time; opens the stores
and checks that everything acknowledged is there, whole, in order and once. Prints what was found as JSON.
"""

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

import numpy as np

from atrader.market import BAR_COLUMNS, Bars
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from data_layer.store import MarketBatch
from data_layer.store.history_sqlite import SqliteHistoryReader, SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore

MINUTE = 60 * 10**9
PAIR = "EUR/USD"
STEPS = (1, 1, 1, 7, 300)
_LONGEST_S = 0.02


def bars(count: int, first: int) -> Bars:
    """Return bars that follow from their numbers."""
    times = (np.arange(count, dtype=np.int64) + first) * MINUTE
    return Bars(times, *(np.arange(count) + first + column / 16 for column in range(len(BAR_COLUMNS) - 1)))


def events(count: int, first: int) -> list[OutboxRow]:
    """Return history rows that follow from their numbers."""
    body: dict[str, object] = {"process": "x", "kind": "k"}
    return [OutboxRow(seq=seq, table="events", time_ns=seq, body=body) for seq in range(first, first + count)]


class Acknowledged:
    """Counts that survive the death of who wrote them."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 24)

    def begin(self, life: int) -> None:
        """Note which writer has opened the stores."""
        self._memory[16:] = struct.pack("<q", life)

    def has_begun(self, life: int) -> bool:
        """Tell whether that writer has."""
        return bool(struct.unpack("<q", self._memory[16:])[0] == life)

    def write(self, bars: int, rows: int) -> None:
        """Note how many bars and rows are stored."""
        self._memory[:16] = struct.pack("<qq", bars, rows)

    def read(self) -> tuple[int, int]:
        """Return them; an unfinished note is at most one append behind."""
        found = struct.unpack("<qq", self._memory[:16])
        return int(found[0]), int(found[1])


def write_for_ever(directory: Path, acknowledged: Acknowledged, seed: int) -> None:
    """Append until somebody ends this process."""
    draw = random.Random(seed)
    market = SqliteMarketStore(directory / "market.db", "killed", 5.0)
    history = SqliteHistoryStore(directory / "history.db", "killed", 5.0)
    stored, rows = acknowledged.read()
    last = market.last_bar(PAIR, "1m")
    stored = max(stored, 0 if last is None else last.open_time_ns // MINUTE + 1)
    rows = history.last_seq("x")
    acknowledged.begin(seed)
    while True:
        step = draw.choice(STEPS)
        new = bars(step, stored)
        market.write(MarketBatch("1m", "feed", [(PAIR, new.row(index)) for index in range(step)], [], {}))
        stored += step
        acknowledged.write(stored, rows)
        first = max(1, rows - 1)  # some of them again, as an outbox does
        history.append([("x", events(rows + step - first + 1, first))])
        rows += step
        acknowledged.write(stored, rows)
        if draw.random() < 0.1:
            market.tidy()
            history.tidy()


def check(directory: Path, acknowledged: Acknowledged) -> tuple[int, int]:
    """Compare the stores with what was acknowledged; return what they hold."""
    market, history = SqliteMarketReader(directory / "market.db"), SqliteHistoryReader(directory / "history.db")
    market.on_damage = fail
    found = market.bars(PAIR, "1m")
    seqs = [row["time_ns"] for row in history.query(QueryHistory(table="events"))]
    last_seq = history.last_seq("x")
    market.close()
    history.close()
    stored, rows = acknowledged.read()
    assert stored <= len(found) <= stored + max(STEPS), (stored, len(found))
    expected = bars(len(found), 0)
    assert all(np.array_equal(a, b) for a, b in zip(found.columns, expected.columns, strict=True))
    assert seqs == list(range(1, len(seqs) + 1)), "rows are missing or doubled"
    assert rows <= len(seqs) <= rows + max(STEPS), (rows, len(seqs))
    assert last_seq == len(seqs)
    return len(found), len(seqs)


def fail(damage: object) -> None:
    """Damage is not to be found after a kill."""
    raise AssertionError(damage)


def main(directory: Path, kills: int, seed: int) -> None:
    """Write, kill, check."""
    draw, acknowledged = random.Random(seed), Acknowledged()
    SqliteMarketStore(directory / "market.db", "first").close()
    SqliteHistoryStore(directory / "history.db", "first").close()
    held = (0, 0)
    grew = 0
    for number in range(kills):
        pid = os.fork()
        if pid == 0:
            write_for_ever(directory, acknowledged, seed + number)
        while draw.random() > 0.001 and not acknowledged.has_begun(seed + number):  # a few die while they open
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, _LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        before, held = held, check(directory, acknowledged)
        assert held >= before
        grew += held > before
    print(json.dumps({"kills": kills, "grew": grew, "bars": held[0], "rows": held[1]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
