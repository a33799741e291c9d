"""What the venue does wrong, on command or by a seed.

Faults of a request (`Faults.next`, `Faults.randomly`)
------------------------------------------------------
=========================  ============================================================================
hang-before-accept         not executed; no answer until the client goes away
drop-before-accept         not executed; the connection is closed
reset-before-accept        not executed; the connection is reset
502, 503, 504              not executed; an HTML body
429                        not executed; too many requests
late-accept                executed after ``delay_s`` even if the client is gone by then; answered if it is not
accept-then-hang           executed; no answer until the client goes away
accept-then-drop           executed; the connection is closed
accept-then-reset          executed; the connection is reset
accept-then-502 (503, 504) executed; an HTML body
truncated                  executed; the connection is closed in the middle of the body
broken-json                executed; a whole answer that is only half of the JSON
empty-json                 executed; an object without a field
slow-body                  executed; the body comes byte for byte, over ``delay_s``
slow                       executed; answered after ``delay_s``
=========================  ============================================================================

Faults of a stream (`Faults.stream`)
------------------------------------
=========  =========================================================================
stall      nothing more, no heartbeat either, but the connection stays open
reset      the connection is reset
close      the stream ends properly
cut        the next line stops in its middle, then the connection is closed
split      the next line comes in two chunks with a pause of ``delay_s`` between
glue       the next line and a heartbeat come in one chunk
lose       the next line is not sent
duplicate  the next line is sent twice; on a new stream, the last transaction again
swap       the next two lines change places
delay      the next line comes ``delay_s`` later
garbage    a line that is no JSON
=========  =========================================================================
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from tests.oanda_simulator.values import NS_PER_S

BEFORE: Final = ("hang-before-accept", "drop-before-accept", "reset-before-accept", "502", "503", "504", "429")
AFTER: Final = (
    "late-accept",
    "accept-then-hang",
    "accept-then-drop",
    "accept-then-reset",
    "accept-then-502",
    "accept-then-503",
    "accept-then-504",
    "truncated",
    "broken-json",
    "empty-json",
    "slow-body",
    "slow",
)
STREAM: Final = (
    "stall",
    "reset",
    "close",
    "cut",
    "split",
    "glue",
    "lose",
    "duplicate",
    "swap",
    "delay",
    "garbage",
)

LINE: Final = ("cut", "split", "glue", "lose", "duplicate", "swap", "delay", "reset", "stall")
"""Stream faults that may befall any line by chance."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. ``delay_s``: seconds of the host, for the kinds that wait."""

    kind: str
    delay_s: float = 0.2


@dataclass
class _Rule:
    method: str
    path: str
    fault: Fault
    times: int


@dataclass
class _Dice:
    random: random.Random
    rate: float
    kinds: tuple[str, ...]
    methods: frozenset[str]
    delay_s: float


def _rolled(dice: _Dice | None, method: str) -> Fault | None:
    if dice is None or method not in dice.methods or dice.random.random() >= dice.rate:
        return None
    return Fault(dice.random.choice(dice.kinds), dice.delay_s)


class Faults:
    """The script of what goes wrong.

    Attributes
    ----------
    maintenance : bool
        Every request is answered with 503 and every stream is refused. Set it by `OandaSimulator.maintain`, which also
        ends the streams that are open.
    hide_s : float
        So long orders and trades are not found after the venue took them, seconds of the venue's clock.
    hide_log_s : float
        The same for the lists of transactions.
    unknown_fields : bool
        Every object carries fields that no specification knows.
    drawn : deque of (str, str, str)
        Method, path and kind of the newest faults that happened (``LINE`` and the stream for those of a line).
    """

    def __init__(self) -> None:
        self.maintenance = False
        self.hide_s = 0.0
        self.hide_log_s = 0.0
        self.unknown_fields = False
        self.drawn: deque[tuple[str, str, str]] = deque(maxlen=10_000)
        self._rules: list[_Rule] = []
        self._dice: _Dice | None = None
        self._line_dice: _Dice | None = None
        self._stream: dict[str, deque[Fault]] = {"pricing": deque(), "transactions": deque()}

    def next(self, method: str, path: str, kind: str, times: int = 1, delay_s: float = 0.2) -> None:
        """Let the next requests of a method (``*``: any) whose path contains a text go wrong.

        ``times``: how many. Rules that wait are tried in the order of their making.
        """
        if kind not in BEFORE and kind not in AFTER:
            raise ValueError(f"unknown fault {kind!r}: one of {', '.join(BEFORE + AFTER)}")
        self._rules.append(_Rule(method, path, Fault(kind, delay_s), times))

    def randomly(
        self,
        seed: int,
        rate: float,
        kinds: tuple[str, ...] = BEFORE + AFTER,
        methods: tuple[str, ...] = ("POST", "PUT", "GET"),
        delay_s: float = 0.2,
    ) -> None:
        """Let a fraction of all requests go wrong, in a way that the seed decides. A rate of 0 ends it."""
        dice = _Dice(random.Random(seed), rate, tuple(kinds), frozenset(methods), delay_s)
        self._dice = dice if rate else None

    def draw(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request."""
        fault = self._scripted(method, path) or _rolled(self._dice, method)
        if fault:
            self.drawn.append((method, path, fault.kind))
        return fault

    def _scripted(self, method: str, path: str) -> Fault | None:
        for rule in self._rules:
            if rule.method in {"*", method} and rule.path in path:
                rule.times -= 1
                if not rule.times:
                    self._rules.remove(rule)
                return rule.fault
        return None

    def stream(self, stream: str, kind: str, times: int = 1, delay_s: float = 0.05) -> None:
        """Let streams of a sort (``pricing``, ``transactions``) go wrong: those open now, else the next one.

        Faults of the next line wait in the streams; ``times``: for how many lines.
        """
        if kind not in STREAM:
            raise ValueError(f"unknown fault {kind!r}: one of {', '.join(STREAM)}")
        self._stream[stream].extend([Fault(kind, delay_s)] * times)

    def randomly_in_lines(self, seed: int, rate: float, kinds: tuple[str, ...] = LINE, delay_s: float = 0.05) -> None:
        """Let a fraction of all lines of the streams go wrong, in a way that the seed decides. A rate of 0 ends it."""
        dice = _Dice(random.Random(seed), rate, tuple(kinds), frozenset({"LINE"}), delay_s)
        self._line_dice = dice if rate else None

    def draw_line(self, stream: str) -> Fault | None:
        """Return what goes wrong with the next line of a stream."""
        fault = _rolled(self._line_dice, "LINE")
        if fault:
            self.drawn.append(("LINE", stream, fault.kind))
        return fault

    def take_stream(self, stream: str) -> list[Fault]:
        """Return the stream faults that wait, and forget them."""
        waiting = list(self._stream[stream])
        self._stream[stream].clear()
        return waiting

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._rules.clear()
        self._dice = self._line_dice = None
        self.maintenance = False
        self.hide_s = self.hide_log_s = 0.0
        self.unknown_fields = False
        for waiting in self._stream.values():
            waiting.clear()

    def visible(self, created_ns: int, now_ns: int) -> bool:
        """Return whether an order or trade is shown already."""
        return now_ns - created_ns >= self.hide_s * NS_PER_S

    def visible_in_log(self, created_ns: int, now_ns: int) -> bool:
        """Return whether a transaction is listed already."""
        return now_ns - created_ns >= self.hide_log_s * NS_PER_S
