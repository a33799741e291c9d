"""Rows on their way to the data layer's history, in a file of whoever made them, until the history has them."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Final, Literal, TextIO

from structlog.typing import FilteringBoundLogger

from atrader.messages.gateway import OutboxRow

_KEPT_IN_MEMORY: Final = 10_000
_TAKEN_IN_FILE: Final = 5_000  # rows the history has are cut off when there are so many: a busy file is never empty


class OutboxFile:
    """Rows that the history does not have yet: a file of JSON lines, appended, emptied when all is taken.

    The first line of the file tells the highest sequence number ever given away, so that numbers never repeat. Survives
    the death of the process; a power failure costs what was appended after the last `sync`.

    Parameters
    ----------
    path : Path
        The file; made when missing, with its directory.

    Attributes
    ----------
    rows : list of OutboxRow
        What the history does not have yet, oldest first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loaded_seq, self.rows = _load(path)
        self._dropped = 0
        self._taken = 0
        self._numbers_are_known = False  # to the history: those of this run count from its own
        self.last_seq = self._loaded_seq
        self._unsynced = False
        self._file: TextIO | None = None
        self._rewrite()

    def append(self, table: Literal["signals", "alerts", "events"], time_ns: int, body: dict[str, object]) -> None:
        """Add a row; it is in the file when this returns, and survives a power failure after `sync`.

        Without room on the disk the row is kept in memory only, since nobody must fail for his diary.
        """
        self.last_seq += 1
        row = OutboxRow(seq=self.last_seq, table=table, time_ns=time_ns, body=body)
        self.rows.append(row)
        self._dropped += max(0, len(self.rows) - _KEPT_IN_MEMORY)
        del self.rows[:-_KEPT_IN_MEMORY]
        if self._file is None:
            self._rewrite()  # with this row
            return
        with contextlib.suppress(OSError):
            self._file.write(row.model_dump_json() + "\n")
            self._file.flush()
            self._unsynced = True

    def sync(self) -> None:
        """Bring what was appended to the disk."""
        if self._unsynced and self._file is not None:
            self._unsynced = False
            with contextlib.suppress(OSError):
                os.fdatasync(self._file.fileno())

    def reconcile(self, known_seq: int) -> None:
        """Compare with what the history has of us, before anything is handed over in this run, and after a failure.

        Rows with known numbers were taken. When the history knows more than our file gave away, the file was lost or is
        an old copy, and the rows of this run get numbers above. The numbers of this run hold from the first comparison
        on: a row whose answer was lost is known by its number and not another one.
        """
        given_seq = self.last_seq if self._numbers_are_known else self._loaded_seq
        self._numbers_are_known = True
        if known_seq <= given_seq:
            self.taken(known_seq)
            return
        fresh = [row for row in self.rows if row.seq > self._loaded_seq]
        self.rows = [row.model_copy(update={"seq": known_seq + n}) for n, row in enumerate(fresh, 1)]
        self.last_seq = known_seq + len(fresh)
        self._rewrite()

    def taken(self, last_seq: int) -> None:
        """Forget rows that are in the history."""
        left = [row for row in self.rows if row.seq > last_seq]
        self._taken += len(self.rows) - len(left)
        self.rows = left
        if not left or self._taken > _TAKEN_IN_FILE:
            self._rewrite()

    def tell_dropped(self, log: FilteringBoundLogger) -> None:
        """Log how many rows were given up, because more than 10,000 waited, if any were; once."""
        if self._dropped:
            log.error("history-rows-dropped", rows=self._dropped, file=str(self.path))
        self._dropped = 0

    def close(self) -> None:
        """Sync and close the file."""
        self.sync()
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None

    def _rewrite(self) -> None:
        """Put a new file with what is left in place of the old one; without room the next row tries again."""
        draft = self.path.with_name(f".{self.path.name}")
        lines = [json.dumps({"last_seq": self.last_seq}), *(row.model_dump_json() for row in self.rows)]
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                if self.rows:  # they may be on the disk already, and must not leave it
                    os.fdatasync(file.fileno())
            os.replace(draft, self.path)
            self._close()
            self._file = self.path.open("a", encoding="utf-8")
            self._taken = 0
            self._unsynced = True


def read_outbox(path: Path) -> list[OutboxRow]:
    """Return the rows in the file of somebody else, oldest first, without touching it."""
    return _load(path)[1]


def _load(path: Path) -> tuple[int, list[OutboxRow]]:
    """Read the file as far as it is whole; the last line may be torn."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return 0, []
    last_seq, rows = 0, []
    for line in lines:
        try:
            fields = json.loads(line)
            if "last_seq" in fields:
                last_seq = max(last_seq, int(fields["last_seq"]))
            else:
                rows.append(OutboxRow.model_validate(fields))
        except (ValueError, TypeError):
            continue
    return max([last_seq, *(row.seq for row in rows)]), rows
