"""Replay at full speed: the worker takes its turn when the replay says so, and acknowledges it.

The data layer publishes each step's bars, then names the participants one after the other; a worker that only acts
in its turn gives the same trades in every run (docs/replay.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from atrader.bus import BeatSender, Gap, Message
from atrader.market import REPLAY_TOPIC


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that came before this worker's turn in a step."""

    step: int
    market_ns: int
    items: list[Message | Gap]


class Lockstep:
    """Cuts the market stream at this worker's turns.

    Parameters
    ----------
    name : str
        Process name of this worker.
    push : BeatSender
        Sender to the data layer.
    """

    def __init__(self, name: str, push: BeatSender) -> None:
        self._name = name
        self._push = push
        self._kept: list[Message | Gap] = []
        self._done = -1

    def ready(self) -> None:
        """Tell the replay that this worker takes part from here."""
        self._push.send("replay-ready", {"name": self._name})

    def turns(self, items: list[Message | Gap]) -> list[Turn]:
        """Add what the stream brought; return the turns that are now due."""
        due = []
        for item in items:
            if isinstance(item, Gap) or item.topic != REPLAY_TOPIC:
                self._kept.append(item)
                continue
            step = item.values
            if step.phase != self._name:
                continue
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
