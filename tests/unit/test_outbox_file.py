"""Rows on their way to the history: their numbers, whatever answers get lost and whatever files do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
import structlog

import manager.history
import worker.history_sender
from atrader.bus import CallClient, SyncCallClient
from atrader.clock import SystemClock
from atrader.errors import StoreError
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import Appended, AppendHistory, LastSeq
from atrader.runtime import outbox_file
from atrader.runtime.outbox_file import OutboxFile
from worker.history_sender import HistorySender


class FakeCalls:
    """Answers as a data layer that takes everything."""

    def __init__(self, failures: int = 0) -> None:
        self._asked: LastSeq | AppendHistory | None = None
        self._failures = failures  # so many times the disk is full: questions are answered, rows are not taken
        self.texts: list[object] = []

    @property
    def is_begun(self) -> bool:
        return self._asked is not None

    def begin(self, request: LastSeq | AppendHistory, timeout_s: float) -> None:
        self._asked = request

    def look(self) -> Appended:
        asked, self._asked = self._asked, None
        if not isinstance(asked, AppendHistory):
            return Appended(last_seq=0)
        if self._failures:
            self._failures -= 1
            raise StoreError("the disk is full")
        rows = [OutboxRow.model_validate(row) for row in asked.rows]
        self.texts += [row.body["text"] for row in rows]
        return Appended(last_seq=rows[-1].seq)

    async def call(self, request: LastSeq | AppendHistory, timeout_s: float) -> Appended:
        self.begin(request, timeout_s)
        return self.look()


def _with_rows(path: Path, texts: str) -> OutboxFile:
    outbox = OutboxFile(path)
    for text in texts:
        outbox.append("events", 1, {"text": text})
    return outbox


def _left(outbox: OutboxFile) -> list[tuple[int, object]]:
    return [(row.seq, row.body["text"]) for row in outbox.rows]


def test_rows_that_the_history_took_without_an_answer_are_not_handed_over_under_other_numbers(tmp_path: Path) -> None:
    outbox = _with_rows(tmp_path / "outbox.jsonl", "ab")
    outbox.reconcile(0)
    outbox.append("events", 1, {"text": "c"})
    outbox.reconcile(2)  # the answer was lost: a and b are there
    assert _left(outbox) == [(3, "c")]
    outbox.reconcile(3)
    outbox.append("events", 1, {"text": "d"})
    assert _left(outbox) == [(4, "d")]
    outbox.close()


def test_rows_of_a_run_whose_file_was_lost_get_numbers_above_those_the_history_knows(tmp_path: Path) -> None:
    outbox = _with_rows(tmp_path / "outbox.jsonl", "ab")
    outbox.reconcile(7)
    assert _left(outbox) == [(8, "a"), (9, "b")]
    outbox.reconcile(8)  # again, after a failure
    assert _left(outbox) == [(9, "b")]
    outbox.close()


def test_what_has_no_room_any_more_is_told_once_and_by_whoever_hands_the_rest_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_file, "_KEPT_IN_MEMORY", 3)
    outbox = _with_rows(tmp_path / "outbox.jsonl", "abcde")
    calls = FakeCalls()
    with structlog.testing.capture_logs() as logs:
        sender = HistorySender("test", outbox, cast(SyncCallClient, calls), SystemClock(), structlog.get_logger())
        for _ in range(6):
            sender.work()
    assert _left(outbox) == []
    assert calls.texts == ["c", "d", "e"]
    assert [(one["event"], one["rows"]) for one in logs] == [("history-rows-dropped", 2)]
    outbox.close()


def test_a_worker_says_once_that_the_disk_of_the_history_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.history_sender, "_PAUSE_S", 0.0)
    outbox = _with_rows(tmp_path / "outbox.jsonl", "ab")
    calls = FakeCalls(failures=5)
    with structlog.testing.capture_logs() as logs:
        sender = HistorySender("test", outbox, cast(SyncCallClient, calls), SystemClock(), structlog.get_logger())
        sender.flush(60)
    assert calls.texts == ["a", "b"]
    assert [one["event"] for one in logs] == ["history-away"]
    outbox.close()


def test_the_manager_says_once_that_the_disk_of_the_history_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager.history, "_RETRY_S", 0.0)
    outbox = _with_rows(tmp_path / "outbox.jsonl", "a")
    calls = FakeCalls(failures=5)

    async def hand_over() -> None:
        history = manager.history.History(outbox, cast(CallClient, calls), SystemClock(), structlog.get_logger())
        history.start()
        history.data_layer_is(running=True)
        history.event({"text": "b"})
        await history.flush(60)
        await history.close()

    with structlog.testing.capture_logs() as logs:
        asyncio.run(hand_over())
    assert calls.texts == ["a", "b"]
    assert [one["event"] for one in logs] == ["history-not-taken"]


def test_rows_of_an_earlier_run_that_the_history_has_are_forgotten(tmp_path: Path) -> None:
    _with_rows(tmp_path / "outbox.jsonl", "ab").close()
    outbox = _with_rows(tmp_path / "outbox.jsonl", "c")
    outbox.reconcile(1)
    assert _left(outbox) == [(2, "b"), (3, "c")]
    outbox.close()
    again = OutboxFile(tmp_path / "outbox.jsonl")
    assert again.last_seq == 3
    again.close()
