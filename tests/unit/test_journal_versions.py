"""Journals of earlier versions go on."""

import sqlite3
from pathlib import Path

from broker_api.journal import Journal


def test_a_journal_of_version_1_keeps_its_financing_and_gets_room_for_the_brokers_own_words(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE swaps; DROP TABLE broker_answers; DELETE FROM meta WHERE key = 'identity';"
        " CREATE TABLE swaps (transaction_id INTEGER PRIMARY KEY, body TEXT NOT NULL);"
        " INSERT INTO swaps VALUES (9, '{}'); PRAGMA user_version = 1;"
    )
    connection.close()
    journal = Journal(path)
    try:
        assert journal.read.has_swap(9, 0)
        assert not journal.read.has_swap(9, 1)
        assert journal.read.broker_answer(9) is None
    finally:
        journal.close()
    Journal(path).close()
