"""What was tried, and the file that keeps it: a killed run goes on from there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StoreError
from atrader.runtime.sqlite_schema import bring_to_version, check_version
from research.optimisation.space import Combination

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
T = TypeVar("T")

FORMAT: Final = 1
"""Version of the file."""

BEYOND: Final = "it earned more in days than figures can be worked out of: next to nothing was left, and became much"

_MOST_RETURN: Final = 1e50  # of a day: its fourth power is a number, and so are sums of those
_MOST_GROWTH: Final = 700.0  # of logarithms: more is past all floats
_PAGE_BYTES: Final = 32_768  # years of daily returns lie in one piece: read and written in half the time
_APPLICATION_ID: Final = 0x6174_6F70  # "atop"
_SCHEMA: Final = """
CREATE TABLE study (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE trial (
    number INTEGER PRIMARY KEY, parameters TEXT NOT NULL, trades INTEGER NOT NULL, error TEXT NOT NULL,
    returns BLOB NOT NULL
)
"""


_NOTES: Final = "CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY, text TEXT NOT NULL)"


class Trial(NamedTuple):
    """One set of parameters and what came of it.

    Attributes
    ----------
    number : int
        Its place in the search, from 0.
    parameters : Combination
        Those that vary.
    trades : int
        Trades that were closed.
    returns : ndarray of float64, shape (days,)
        Of each trading day, as a share of the equity at its begin; nothing where `error` says why.
    error : str
        Why it could not be run; empty when it was.
    note : str
        What else is to be known of it, the same text for sets of which the same is; empty: nothing.
    """

    number: int
    parameters: Combination
    trades: int
    returns: Floats
    error: str = ""
    note: str = ""


class Trials(NamedTuple):
    """All trials of a run that have figures, by number.

    Attributes
    ----------
    numbers, trades : ndarray of int64, shape (n,)
        Place in the search; closed trades.
    parameters : list of Combination
        Of each.
    returns : ndarray of float64, shape (n, days)
        Of each trading day.
    failed : list of Trial
        Those that could not be run: they count as tried.
    notes : sequence of str
        What is to be known of sets besides, a text for each of which something is.
    """

    numbers: Times
    trades: Times
    parameters: list[Combination]
    returns: Floats
    failed: list[Trial]
    notes: Sequence[str] = ()

    @property
    def tried(self) -> int:
        """How many sets were looked at."""
        return len(self.parameters) + len(self.failed)

    def without(self, absurd: NDArray[np.bool_]) -> Trials:
        """Return the same with some sets, shape (n,), among those that failed, as `beyond_figures` says."""
        more = [
            Trial(int(self.numbers[at]), self.parameters[at], int(self.trades[at]), np.empty(0), BEYOND)
            for at in np.flatnonzero(absurd)
        ]
        return Trials(
            self.numbers[~absurd],
            self.trades[~absurd],
            [one for one, is_absurd in zip(self.parameters, absurd.tolist(), strict=True) if not is_absurd],
            self.returns[~absurd],
            sorted([*self.failed, *more], key=lambda one: one.number),
            self.notes,
        )


def beyond_figures(returns: Floats) -> NDArray[np.bool_]:
    """Tell which sets earned so much that no figure can be worked out: squares, or what money became, overflow.

    An account that was down to next to nothing and came back has such days. Such a set has failed: no ratio of it means
    anything, and an undefined one among others would be taken for the best of them.

    Parameters
    ----------
    returns : ndarray of float64, shape (n, days)
        Of each set and day.
    """
    most = returns.max(axis=1, initial=0.0)
    found: NDArray[np.bool_] = most > _MOST_RETURN
    doubtful = np.flatnonzero(~found & (np.log1p(most) * returns.shape[1] > _MOST_GROWTH))
    with np.errstate(over="ignore", invalid="ignore"):
        found[doubtful] = ~np.isfinite(np.cumprod(1.0 + returns[doubtful], axis=1)).all(axis=1)
    return found


class TrialFile:
    """A file of trials. One process writes, from one thread at a time; each `append` is on disk when it returns.

    Others may read it meanwhile. A process that is killed, or a power cut, takes what is being appended, and never
    leaves half of that; when nothing is, all is in this one file.

    Parameters
    ----------
    path : Path
        An existing file, or a new one when `study` is given.
    study : dict, optional
        What the run is about, as JSON; makes the file.
    days_ns : ndarray of int64, shape (days,), optional
        End of each trading day, UTC ns; with `study`.

    Raises
    ------
    ConfigError
        When the file does not exist, or is none of ours.
    StoreError
        When it was written by a newer program, or cannot be read or written.
    """

    def __init__(self, path: Path, study: dict[str, Any] | None = None, days_ns: Times | None = None) -> None:
        self.path = path
        if study is None and not path.is_file():
            raise ConfigError(f"{path}: no such file; 'atrader optimise' makes them, in results/")
        self._connection = self._guarded(lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        try:
            if study is not None:
                assert days_ns is not None
                self._make(study, days_ns)
            self._check()
            self.study: dict[str, Any] = json.loads(self._value("study"))
            self.days_ns: Times = np.frombuffer(self._value("days_ns"), np.int64)
        except ValueError as error:
            self._connection.close()
            raise self._damaged(error) from error
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, trials: Sequence[Trial]) -> None:
        """Write trials; on disk when this returns. Those that are there already are replaced, so it may be repeated."""
        rows = [
            (one.number, json.dumps(one.parameters), one.trades, one.error, np.ascontiguousarray(one.returns).data)
            for one in trials
        ]
        notes = [(one.number, one.note) for one in trials if one.note]
        work: dict[str, list[tuple[Any, ...]]] = {"INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?)": rows}
        if notes:
            work |= {_NOTES: [()], "INSERT OR REPLACE INTO note VALUES (?, ?)": notes}
        self._guarded(lambda: self._write(work))

    def numbers(self) -> Collection[int]:
        """Return the numbers of the trials that are there."""
        rows = self._guarded(lambda: self._connection.execute("SELECT number FROM trial").fetchall())
        return {number for (number,) in rows}

    def trials(self) -> Trials:
        """Return everything that was tried.

        Raises
        ------
        StoreError
            When the file is damaged, or cannot be read.
        """
        rows = self._guarded(
            lambda: self._connection.execute(
                "SELECT number, parameters, trades, error, returns FROM trial ORDER BY number"
            ).fetchall()
        )
        good = [row for row in rows if not row[3]]
        try:
            failed = [Trial(row[0], json.loads(row[1]), row[2], np.empty(0), row[3]) for row in rows if row[3]]
            parameters = json.loads(f"[{','.join(row[1] for row in good)}]")  # a third of the time of one by one
            for number, _, _, _, values in good:
                if len(values) != 8 * len(self.days_ns):
                    raise ValueError(f"set {number} has returns of other days")
            returns = np.frombuffer(bytearray().join(row[4] for row in good)).reshape(len(good), len(self.days_ns))
        except ValueError as error:
            raise self._damaged(error) from error
        if not np.isfinite(returns).all():
            raise self._damaged("a return is no number")
        found = Trials(
            numbers=np.array([row[0] for row in good], np.int64),
            trades=np.array([row[2] for row in good], np.int64),
            parameters=parameters,
            returns=returns,
            failed=failed,
            notes=self._notes(),
        )
        absurd = beyond_figures(returns)  # of files of before that was looked at
        return found.without(absurd) if absurd.any() else found

    def _notes(self) -> list[str]:
        """Return the notes by number; none in files of sets of which nothing is to be known, as those of before."""
        known = self._guarded(
            lambda: self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'note'").fetchone()
        )
        if known is None:
            return []
        rows = self._guarded(lambda: self._connection.execute("SELECT text FROM note ORDER BY number").fetchall())
        return [text for (text,) in rows]

    def _make(self, study: dict[str, Any], days_ns: Times) -> None:
        def make() -> None:
            self._connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            bring_to_version(self._connection, self.path, _SCHEMA, FORMAT, _APPLICATION_ID)
            rows = [("study", json.dumps(study)), ("days_ns", days_ns.astype(np.int64).tobytes())]
            self._write({"INSERT INTO study VALUES (?, ?)": rows})

        self._guarded(make)

    def _check(self) -> None:
        if self._guarded(lambda: check_version(self._connection, self.path, FORMAT, _APPLICATION_ID)) == 0:
            raise ConfigError(f"{self.path} holds no search: the program died while it made the file; begin anew")

    def _value(self, key: str) -> Any:
        row = self._guarded(
            lambda: self._connection.execute("SELECT value FROM study WHERE key = ?", (key,)).fetchone()
        )
        if row is None:
            raise ConfigError(f"{self.path} holds no search: the program died while it made the file; begin anew")
        return row[0]

    def _write(self, statements: Mapping[str, Iterable[tuple[Any, ...]]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        with closing(self._connection.cursor()) as cursor:
            try:
                for statement, rows in statements.items():
                    cursor.executemany(statement, rows)
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise
        self._connection.execute("COMMIT")

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.DatabaseError as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            remedy = "; free some space, and go on with --resume" if full else ""
            raise StoreError(
                f"{self.path} cannot be read or written as a file of 'atrader optimise': {error}{remedy}"
            ) from error

    def _damaged(self, why: object) -> StoreError:
        return StoreError(f"{self.path} is damaged ({why}): put a copy in its place, or begin the search anew")
