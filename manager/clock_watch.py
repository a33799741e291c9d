"""Tells people when the wall clock of the machine was set: nothing dies of it, but ages and sessions follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atrader.clock import Clock, ClockJump


async def watch_clock(clock: Clock, tell: Callable[[str], None], look_s: float = 1.0) -> None:
    """Look at the clock until cancelled, and tell of each jump once.

    Parameters
    ----------
    clock : Clock
        The host's.
    tell : callable
        Takes a sentence for people.
    look_s : float, default 1.0
        Between two looks.
    """
    jumps = ClockJump(clock)
    while True:
        await asyncio.sleep(look_s)
        if jump_s := jumps.check():
            way = "forward" if jump_s > 0 else "back"
            tell(
                f"the clock of this machine went {way} by {abs(jump_s):.1f} s (it was set, or the machine slept):"
                " time-outs do not follow it; ages of prices are wrong until new ones come;"
                " sessions and days follow the new time"
            )
