"""Brings a worker's signals and incidents to the history, a little in each turn of the loop; nothing is waited for."""

from __future__ import annotations

import math
import time
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from atrader.bus import SyncCallClient
from atrader.clock import Clock
from atrader.errors import AtraderError, WireError
from atrader.messages.history import AppendHistory, LastSeq
from atrader.runtime.outbox_file import OutboxFile

_BATCH: Final = 500
_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.5  # after a failure: the data layer restarts faster than this
_LOOK_S: Final = 0.02  # an answer takes a few milliseconds
_FLUSH_POLL_S: Final = 0.002


class HistorySender:
    """Hands the rows of an outbox file over: at least once, and the data layer passes over what it has.

    For the thread of the strategy loop.

    Parameters
    ----------
    source : str
        Who this is, for the history: numbers of rows count within it.
    outbox : OutboxFile
        Closed by its owner.
    client : SyncCallClient
        Of ``data.call``, for this one's use only; closed by its owner.
    """

    def __init__(
        self, source: str, outbox: OutboxFile, client: SyncCallClient, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._source = source
        self._outbox = outbox
        self._client = client
        self._clock = clock
        self._log = log
        self._numbered = False
        self._sent_seq = 0
        self._batch = _BATCH
        self._pause_until_s = 0.0
        self._complained = False

    def work(self) -> float:
        """Take an answer if it has come, and send the next rows if there are any; never blocks.

        Returns
        -------
        float
            How long the loop may sleep before it calls again, seconds.
        """
        if not self._outbox.rows and not self._client.is_begun:
            return math.inf
        self._work()
        return _LOOK_S if self._client.is_begun else _PAUSE_S if self._outbox.rows else math.inf

    def _work(self) -> None:
        try:
            if self._client.is_begun:
                answer = self._client.look()
                if answer is None:
                    return
                self._taken(answer)
            if self._outbox.rows and self._clock.monotonic_s() >= self._pause_until_s:
                self._client.begin(self._request(), _TIMEOUT_S)
        except WireError as error:
            self._refused(error)
        except AtraderError as error:
            self._failed(error)

    def flush(self, within_s: float) -> None:
        """Wait until all is handed over or the time is over; what is left waits in the file for the next life."""
        end_s = self._clock.monotonic_s() + within_s
        self._pause_until_s = 0.0
        while self._outbox.rows and self._clock.monotonic_s() < end_s:
            self.work()
            time.sleep(_FLUSH_POLL_S)

    def _request(self) -> LastSeq | AppendHistory:
        if not self._numbered:
            return LastSeq(source=self._source)
        rows = self._outbox.rows[: self._batch]
        self._sent_seq = rows[-1].seq
        return AppendHistory(source=self._source, rows=tuple(row.model_dump(mode="json") for row in rows))

    def _taken(self, answer: Any) -> None:
        if self._numbered:
            self._outbox.taken(answer.last_seq)
            self._batch = _BATCH
            self._outbox.tell_dropped(self._log)
            self._complained = False
        else:  # a history that answers this may still be unable to write
            self._outbox.reconcile(answer.last_seq)
            self._numbered = True

    def _refused(self, error: WireError) -> None:
        """Find the row that the history cannot take, and leave it out: the others must not wait for it for ever."""
        if self._batch > 1:
            self._batch = 1
            return
        self._log.error("history-row-refused", reason=str(error))
        self._outbox.taken(self._sent_seq)

    def _failed(self, error: AtraderError) -> None:
        self._pause_until_s = self._clock.monotonic_s() + _PAUSE_S
        self._numbered = False  # another data layer may answer next: ask it how far it is
        if not self._complained:
            self._log.info("history-away", reason=str(error), rows=len(self._outbox.rows))
            self._complained = True
