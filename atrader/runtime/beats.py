"""Beats: a process' sign of progress, sent from its main loop and from nowhere else."""

from __future__ import annotations

import os
import time
from typing import Final, Protocol

from atrader.bus import BeatSender
from atrader.clock import Clock
from atrader.runtime.spec import ProcessSpec

BEAT: Final = "beat"
"""Kind of the message."""

_EARLY: Final = 0.9  # a loop that wakes each interval must not miss a beat by a hair
_INSIST_S: Final = 0.1  # for a new phase: the connection may be a few milliseconds old
_RETRY_S: Final = 0.002
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * _PAGE_BYTES


class BeatSink(Protocol):
    """Where the beats of a main loop go."""

    def is_due(self, phase: str) -> bool:
        """Tell whether a beat would be sent now, or is to be counted."""

    def beat(self, phase: str, progress: int, body: dict[str, object]) -> None:
        """Take a beat."""

    def close(self) -> None:
        """Take no more."""


class BeatCompanion(Protocol):
    """The beats of another loop in this process, which travel with those of the main loop."""

    @property
    def moved(self) -> bool:
        """Whether that loop has turned since `take`."""

    def take(self) -> dict[str, object]:
        """Return what that loop told last."""


class Beats:
    """Sends the beats of one process to the manager. For one thread.

    Parameters
    ----------
    spec : ProcessSpec
        Whose beats they are.
    clock : Clock
        The host's.

    Attributes
    ----------
    companion : BeatCompanion or None
        Without whose progress this process does not count as making progress.
    """

    def __init__(self, spec: ProcessSpec, clock: Clock) -> None:
        self._sender = BeatSender(spec.home.endpoint("manager.beat"), spec.name)
        self._head = {"name": spec.name, "kind": spec.kind, "pid": os.getpid()}
        self._interval_s = spec.installation.fleet.beat_interval * _EARLY
        self._clock = clock
        self._phase = ""  # the last one that was sent
        self._insisted = ""  # the last one that was waited for
        self._due_s = 0.0
        self.companion: BeatCompanion | None = None

    def is_due(self, phase: str) -> bool:
        """Tell whether it is time for a beat, or the phase is new."""
        return phase != self._phase or self._clock.monotonic_s() >= self._due_s

    def beat(self, phase: str, progress: int, body: dict[str, object]) -> None:
        """Send a beat if one is due or the phase is new; cheap otherwise.

        Never fails. Blocks for 0.1 s at most, the first time with a new phase, when nobody listens; with the next
        calls it is tried again without waiting.
        """
        now_s = self._clock.monotonic_s()
        if phase == self._phase and now_s < self._due_s:
            return
        other = self.companion
        if other is not None and phase == self._phase == "ready" and not other.moved:
            return
        told = {} if other is None else other.take()
        message = {**self._head, "phase": phase, "progress": progress, "rss_bytes": rss_bytes(), **told, **body}
        sent = self._sender.send(BEAT, message)
        insists = phase not in (self._phase, self._insisted)
        self._insisted = phase
        while not sent and insists and self._clock.monotonic_s() - now_s < _INSIST_S:
            time.sleep(_RETRY_S)
            sent = self._sender.send(BEAT, message)
        if sent:
            self._phase = phase
        self._due_s = now_s + self._interval_s

    def close(self) -> None:
        """Close the socket."""
        self._sender.close()
