"""Replay at full speed: the worker takes its turn when the replay says so, and acknowledges it.

The data layer publishes each step's bars, then names the participants one after the other; a worker that only acts
in its turn gives the same trades in every run (docs/replay.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atrader.bus import BeatSender, Gap, Message
from atrader.clock import SystemClock
from atrader.market import REPLAY_STEP


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that came before this worker's turn in a step."""

    step: int
    market_ns: int
    items: list[Message | Gap]


class Lockstep:
    """Cuts the market stream at the turns of a worker, or of whoever else takes turns.

    Parameters
    ----------
    name : str
        Process name of this worker.
    push : BeatSender
        Sender to the data layer.
    series : sequence of str
        ``INSTRUMENT|TIMEFRAME`` of its bars: it gets a turn when there is one.
    listens : bool
        Whether it gets a turn at every quote.
    """

    def __init__(self, name: str, push: BeatSender, series: Sequence[str], *, listens: bool) -> None:
        self._name = name
        self._push = push
        self._interest = {"name": name, "series": tuple(series), "listens": listens}
        self._clock = SystemClock()
        self._heard_s = 0.0
        self._kept: list[Message | Gap] = []
        self._done = -1

    def ready(self) -> None:
        """Tell the replay that this worker takes part from here."""
        self._heard_s = self._clock.monotonic_s()
        self._push.send("replay-ready", self._interest)

    def remind(self, silence_s: float) -> None:
        """Say so again when there was no turn for so long: a message was lost, or this is another data layer."""
        if self._clock.monotonic_s() - self._heard_s > silence_s:
            self.ready()

    def turns(self, items: list[Message | Gap]) -> list[Turn]:
        """Add what the stream brought; return the turns that are now due."""
        due = []
        for item in items:
            if isinstance(item, Gap) or item.kind != REPLAY_STEP.kind:
                self._kept.append(item)
                continue
            step = item.values
            self._heard_s = self._clock.monotonic_s()
            if step.step <= self._done:
                self._acknowledge(step.step)  # the replay did not see our first answer
                continue
            due.append(Turn(step.step, step.market_ns, self._kept))
            self._kept = []
        return due

    def done(self, turn: Turn) -> None:
        """Acknowledge a turn after everything it caused is done."""
        self._done = turn.step
        self._acknowledge(turn.step)

    def _acknowledge(self, step: int) -> None:
        self._push.send("replay-ack", {"name": self._name, "step": step, "phase": self._name})
