"""A connection that comes back: work is done again on a new one when the old one died, also in mid-transaction.

That is right because all work is repeatable: what was committed, although its answer was lost, changes nothing the
second time.
"""

from __future__ import annotations

import os
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg

from atrader.clock import SystemClock
from atrader.errors import StoreError, StoreUnavailable
from atrader.exit_codes import ExitCode
from data_layer.store.postgresql.address import Address, Connection
from data_layer.store.postgresql.errors import away, is_passing, store_error

T = TypeVar("T")

_LOCK_SPACE: Final = zlib.crc32(b"atrader") & 0x7FFFFFFF  # tells our advisory locks from those of other programs
_LOCK_POLL_S: Final = 0.05
_OWN_LOCK_WAIT_S: Final = 10.0  # for a session of ours that the server has not yet found dead
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
_HOLDER: Final = (
    "SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
    " AND granted AND classid = %s AND objid = %s AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Session:
    """Runs work on a connection, for one thread at a time.

    Parameters
    ----------
    address : Address
        The database.
    owner : str
        Who this is, for whoever finds the lock taken.
    lock : int, optional
        Number of the advisory lock to hold: at most one session of all hosts has it. It belongs to the connection that
        writes, so that a successor gets it only when nothing of a predecessor can be committed any more.
    wait_s : float
        How long to wait for the server and for the lock at the beginning.
    patience_s : float
        How long `run` goes on trying while the server is away. With 0 it fails at once, and until the next attempt is
        due without even trying.
    prepare : callable, optional
        Called with each new connection.
    on_close : callable, optional
        Called by `close`, each time.

    Raises
    ------
    StoreUnavailable
        When the server cannot be reached.
    StoreError
        When it is too old, or somebody else holds the lock.
    """

    def __init__(
        self,
        address: Address,
        owner: str,
        *,
        lock: int | None = None,
        wait_s: float = 0.0,
        patience_s: float = 0.0,
        prepare: Callable[[Connection], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._name = f"{owner} (pid {os.getpid()} on {socket.gethostname()})"
        self._lock = lock
        self._wait_s = wait_s
        self._patience_s = wait_s
        self._prepare = prepare
        self._on_close = on_close
        self._clock = SystemClock()
        self._connection: Connection | None = None
        self._backend: int | None = None  # of the last connection
        self._delay_s = _FIRST_DELAY_S
        self._next_s = float("-inf")
        self._trouble: StoreUnavailable | None = None
        self._closed = threading.Event()
        self.run(lambda _: None)
        self._patience_s = patience_s

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do work, which may be done more than once.

        Raises
        ------
        StoreUnavailable
            When the server is away: everything may be tried again later.
        StoreError
            When the server refuses, or somebody else took the lock meanwhile.
        """
        end_s = self._clock.monotonic_s() + self._patience_s
        died = False
        while True:
            try:
                return work(self._connected())
            except psycopg.Error as error:
                if not is_passing(error, self._connection):
                    raise store_error(self.address, error) from error
                self._drop()
                if not died:  # it may have died long ago, and nobody noticed
                    died = True
                    continue
                trouble = away(self.address, error)
            except StoreUnavailable as error:
                trouble = error
            if self._clock.monotonic_s() >= end_s or self._closed.wait(self._delay_s):
                raise trouble

    def close(self) -> None:
        """Close the connection, and with it the lock; may be called twice."""
        self._closed.set()
        self._drop()
        if self._on_close is not None:
            self._on_close()

    def _connected(self) -> Connection:
        if self._connection is None:
            now_s = self._clock.monotonic_s()
            if self._trouble is not None and now_s < self._next_s:
                raise self._trouble
            try:
                self._connection = self._connect()
            except psycopg.Error as error:
                if error.sqlstate is not None and not is_passing(error, None):
                    raise store_error(self.address, error) from error
                self._trouble = away(self.address, error)
                self._next_s = self._clock.monotonic_s() + self._delay_s
                self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)
                raise self._trouble from error
            self._trouble = None
            self._delay_s = _FIRST_DELAY_S
        return self._connection

    def _connect(self) -> Connection:
        writes = self._lock is not None
        connection = self.address.connect(self._name, target_session_attrs="read-write" if writes else "any")
        try:
            if self._lock is not None:
                self._take_lock(connection, self._lock)
            if self._prepare is not None:
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._backend = connection.info.backend_pid
        return connection

    def _take_lock(self, connection: Connection, lock: int) -> None:
        end_s = self._clock.monotonic_s() + self._wait_s
        while not self._locked(connection, lock):
            holder = connection.execute(_HOLDER, (_LOCK_SPACE, lock)).fetchone()
            now_s = self._clock.monotonic_s()
            if holder is not None and holder == (self._backend, self._name):
                # Our own lost connection, which the server still believes in: what it was doing must end first.
                connection.execute("SELECT pg_terminate_backend(%s)", (self._backend,))
                end_s = max(end_s, now_s + _OWN_LOCK_WAIT_S)
                self._backend = None
            elif now_s >= end_s and holder is not None:
                raise StoreError(
                    f"{self.address} is in use by {holder[1] or 'another user of the database'}",
                    details={"exit_code": ExitCode.LOCKED.name, "owner": holder[1]},
                )
            self._closed.wait(_LOCK_POLL_S)

    @staticmethod
    def _locked(connection: Connection, lock: int) -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_SPACE, lock)).fetchone()
        return row is not None and bool(row[0])

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
