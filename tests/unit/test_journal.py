"""The journal: group commit, what is refused and what is kept when it cannot be written, one owner, one version."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from atrader.errors import StoreError
from atrader.orders.model import Intent
from atrader.orders.states import OrderState
from broker_api.journal import Batch, Entry, Journal, JournalFull, digest_of
from tests.support.orders import make_fill, make_intent, make_order, make_trade

ROOT = Path(__file__).resolve().parents[2]


def entry_of(intent: Intent, state: OrderState = OrderState.SENT) -> Entry:
    return Entry(make_order(intent, state=state), 5, digest_of(intent))


def order_batch(n: int, kind: str = "fact") -> Batch:
    batch = Batch("paper", kind)  # type: ignore[arg-type]
    batch.order(entry_of(make_intent(n)))
    return batch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "paper.db"


def test_what_is_committed_is_there_after_reopening(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        intent = make_intent(1, decision="1m:5:0")
        batch = Batch("paper")
        batch.order(entry_of(intent))
        batch.fill(make_fill("f1", "buy", "1000", "1.1"))
        batch.trade(make_trade("t1"), 3)
        batch.swap(9, 1, "{}")
        batch.meta("key", "value")
        await journal.commit(batch)
        journal.close()
        journal = Journal(path)
        read = journal.read
        (entry,) = read.open_orders()
        assert (entry.order, entry.watermark, entry.digest) == (make_order(intent), 5, digest_of(intent))
        assert read.order_of_decision(7, "1m:5:0") == entry
        assert read.order_of_decision(8, "1m:5:0") is None
        assert read.counters(7) == (1, 0)
        assert read.has_fill("f1")
        assert not read.has_fill("f2")
        assert read.has_swap(9, 1)
        assert not read.has_swap(9, 0)
        assert read.open_trades() == [make_trade("t1")]
        assert read.meta("key") == "value"
        assert [line.destination for line in read.outbox_after(0, 9)] == ["orders", "fills", "trades"]
        journal.close()

    asyncio.run(story())


def test_commits_of_one_turn_share_one_transaction(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        await asyncio.gather(*(journal.commit(order_batch(n)) for n in range(1, 51)))
        assert journal.counters == {"commits": 1, "batches": 50}
        assert len(journal.read.open_orders()) == 50
        journal.close()

    asyncio.run(story())


def test_a_cancelled_caller_does_not_take_its_batch_back(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        task = asyncio.ensure_future(journal.commit(order_batch(1)))
        await asyncio.sleep(0)
        task.cancel()
        await journal.settle()
        assert len(journal.read.open_orders()) == 1
        journal.close()

    asyncio.run(story())


def test_events_go_out_between_the_commit_and_its_waiters(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        seen: list[str] = []
        journal.on_commit = lambda: seen.append(f"published with {len(journal.read.open_orders())} on disk")
        await journal.commit(order_batch(1))
        seen.append("answered")
        assert seen == ["published with 1 on disk", "answered"]
        journal.close()

    asyncio.run(story())


def test_a_second_owner_is_refused_and_told_who_has_it(path: Path) -> None:
    journal = Journal(path)
    script = f"from pathlib import Path; from broker_api.journal import Journal; Journal(Path({str(path)!r}))"
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert second.returncode == 1
    assert "is in use by a gateway of this account (pid" in second.stderr
    journal.close()
    with_owner = Journal(path)
    with_owner.close()


def test_a_lock_error_carries_its_exit_code(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(StoreError) as refused:
        Journal(path)
    assert refused.value.details["exit_code"] == "LOCKED"
    journal.close()


def test_a_journal_of_another_version_is_left_alone(path: Path) -> None:
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="schema 99"):
        Journal(path)


def test_a_file_that_is_no_journal_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreError):
        Journal(path)
    assert path.read_bytes().startswith(b"something else")


def test_the_full_durability_of_sqlite_is_on(path: Path) -> None:
    journal = Journal(path)
    connection = journal._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journal.close()


def test_each_journal_has_an_identity_of_its_own_and_one_of_before_has_none(path: Path) -> None:
    identities = set()
    for name in ("a.db", "b.db"):
        journal = Journal(path.with_name(name))
        identities.add(journal.read.identity())
        journal.close()
    journal = Journal(path.with_name("a.db"))
    assert journal.read.identity() in identities
    journal.close()
    assert len(identities) == 2
    assert all(len(identity) == 8 for identity in identities)
    with contextlib.closing(sqlite3.connect(path.with_name("a.db"))) as connection:  # as the version before left it
        connection.execute("DELETE FROM meta WHERE key = 'identity'")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    journal = Journal(path.with_name("a.db"))
    assert journal.read.identity() == ""
    journal.close()


def test_an_outbox_begun_anew_is_numbered_above_what_the_history_has(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        empty = Batch("paper")
        empty.raise_outbox(40)
        await journal.commit(empty)
        await journal.commit(order_batch(1))
        assert [line.seq for line in journal.read.outbox_after(0, 9)] == [41]
        again = Batch("paper")
        again.raise_outbox(100)
        await journal.commit(again)
        await journal.commit(order_batch(2))
        assert [line.seq for line in journal.read.outbox_after(0, 9)] == [141, 142]
        journal.close()

    asyncio.run(story())


def test_housekeeping_waits_for_a_commit_that_is_made_anyway(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        await journal.commit(order_batch(1))
        prune = Batch("paper")
        prune.prune_outbox(1)
        journal.stage_quietly(prune)
        await asyncio.sleep(0.01)
        assert journal.counters["commits"] == 1
        await journal.commit(order_batch(2))
        assert [line.seq for line in journal.read.outbox_after(0, 9)] == [2]
        assert journal.read.outbox_last() == 2
        journal.close()

    asyncio.run(story())


def test_recent_intents_are_those_of_workers(path: Path) -> None:
    async def story() -> None:
        journal = Journal(path)
        batch = Batch("paper")
        for n in (1, -1, 2):
            intent = make_intent(n)
            batch.order(Entry(make_order(intent, created_ns=100 + n), 0, digest_of(intent)))
        await journal.commit(batch)
        assert journal.read.recent_intents(0, 10) == [(7, 101), (7, 102)]
        assert journal.read.recent_intents(102, 10) == [(7, 102)]
        assert journal.read.counters(7) == (2, -1)
        journal.close()

    asyncio.run(story())


def test_a_wish_that_cannot_be_written_is_refused_and_a_fact_waits_until_it_can(path: Path) -> None:
    """The kernel refuses the writes for real: see tests/support/full_disk.py."""
    script = ROOT / "tests" / "support" / "full_disk.py"
    done = subprocess.run(
        [sys.executable, str(script), str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused", "waits", "exit-refused", "well", "written", "ordered"]


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs user and mount namespaces to make a small file system",
)
def test_exits_are_written_into_the_reserve_when_the_disk_is_full(tmp_path: Path) -> None:
    script = ROOT / "tests" / "support" / "small_disk.py"
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["refused", "exits still-full", "well"]


def test_kill_9_loses_nothing_that_was_committed(path: Path) -> None:
    script = ROOT / "tests" / "support" / "journal_writer.py"
    with subprocess.Popen([sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = 0
        for line in writer.stdout:
            told = int(line)
            if told >= 200:
                break
        writer.kill()
        told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    journal = Journal(path)
    found = sorted(entry.order.intent.n for entry in journal.read.open_orders())
    assert found[:told] == list(range(1, told + 1))
    assert len(found) <= told + 1
    journal.close()


def test_a_refusal_names_its_reason() -> None:
    assert JournalFull("x").details["reason"] == "journal-full"
