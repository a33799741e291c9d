"""The account's log: one counter, batches that share an id, and listeners that hear each transaction once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.values import Fields, Time

FILTER_GROUPS = {
    "ORDER": lambda kind: "ORDER" in kind and not kind.startswith("TRADE"),
    "FUNDING": lambda kind: kind.startswith("TRANSFER_FUNDS"),
    "ADMIN": lambda kind: kind in {"CREATE", "CLOSE", "REOPEN", "CLIENT_CONFIGURE", "CLIENT_CONFIGURE_REJECT"},
}


class OutOfRange(Exception):
    """Raised when transactions outside the log are asked for: answered with 416."""


class TransactionLog:
    """All transactions of one account. The number of each is its place: 1, 2, 3, ...

    Attributes
    ----------
    request_id : str, optional
        What the transactions of the present request carry.
    """

    def __init__(self, account_id: str, user_id: int, clock: VenueClock) -> None:
        self.request_id: str | None = None
        self._account_id = account_id
        self._user_id = user_id
        self._clock = clock
        self._entries: list[Fields] = []
        self._batch: int | None = None
        self._listeners: list[Callable[[Fields], None]] = []

    @property
    def last_id(self) -> int:
        """The number of the newest transaction."""
        return len(self._entries)

    @property
    def next_id(self) -> int:
        """The number that the next transaction will have."""
        return len(self._entries) + 1

    @contextmanager
    def batch(self) -> Iterator[int]:
        """Give the transactions appended inside one batch id, which is the number of the first."""
        outer, self._batch = self._batch, self._batch or self.next_id
        try:
            yield self._batch
        finally:
            self._batch = outer

    @contextmanager
    def of_request(self, request_id: str) -> Iterator[None]:
        """Mark the transactions appended inside with the id of a request."""
        outer, self.request_id = self.request_id, request_id
        try:
            yield
        finally:
            self.request_id = outer

    def append(self, kind: str, fields: Fields) -> Fields:
        """Write a transaction and tell the listeners. Returns it."""
        number = self.next_id
        entry: Fields = {
            "id": str(number),
            "time": self._clock.now(),
            "userID": self._user_id,
            "accountID": self._account_id,
            "batchID": str(self._batch or number),
            "requestID": self.request_id,
            "type": kind,
            **fields,
        }
        self._entries.append(entry)
        for listener in list(self._listeners):
            listener(entry)
        return entry

    def listen(self, listener: Callable[[Fields], None]) -> Callable[[], None]:
        """Call a function for each new transaction; the returned one ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def get(self, number: int) -> Fields | None:
        """Return one transaction."""
        return self._entries[number - 1] if 1 <= number <= self.last_id else None

    def between(self, first: int, last: int) -> list[Fields]:
        """Return the transactions from one number to another, both included. Raises `OutOfRange`."""
        if not 1 <= first <= last <= self.last_id:
            raise OutOfRange
        return self._entries[first - 1 : last]

    def since(self, number: int) -> list[Fields]:
        """Return the transactions after a number. Raises `OutOfRange`."""
        if not 0 <= number <= self.last_id:
            raise OutOfRange
        return self._entries[number:]

    def in_time(self, start: Time, end: Time) -> list[Fields]:
        """Return the transactions of a span of time, both ends included."""
        return [entry for entry in self._entries if start <= entry["time"] <= end]


def filtered(entries: Iterable[Fields], kinds: frozenset[str]) -> list[Fields]:
    """Return the transactions of some types; groups such as ``ORDER`` stand for many, no type at all for every one."""
    if not kinds:
        return list(entries)
    groups = [test for name, test in FILTER_GROUPS.items() if name in kinds]
    return [entry for entry in entries if entry["type"] in kinds or any(test(entry["type"]) for test in groups)]
