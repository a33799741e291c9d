"""Bars that are missing in what was played: shorter gaps than --max-gap are played as they are, and counted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.timeframes import Timeframe
from manager.backtests.request import Request
from research.events.plan import Plan
from research.events.tape import BarTape

_FIRST: Final = 5  # places that are named


def gaps_of(request: Request, plan: Plan) -> dict[str, dict[str, Any]]:
    """Count the bars that the calendar of each instrument expects and that were not played; by instrument.

    Returns
    -------
    dict
        ``timeframe``, ``expected`` and ``missing`` (bars), ``gaps`` (how many), ``longest_s``, ``first`` (the first
        gaps: ``start``, ``end``, ``bars``). Instruments of which quotes were played are not in it.
    """
    return {tape.symbol: _gaps(request, plan, tape) for tape in plan.tapes if isinstance(tape, BarTape) and len(tape)}


def _gaps(request: Request, plan: Plan, tape: BarTape) -> dict[str, Any]:
    frame, opens = Timeframe.of_ns(tape.duration_ns), tape.bars.open_time_ns
    start_ns = int(opens[0]) if request.start_ns is None else request.start_ns
    end_ns = int(tape.end_ns[-1]) if request.end_ns is None else request.end_ns
    expected = plan.calendar_of(tape.symbol).expected_bars(start_ns, end_ns, frame)
    if np.array_equal(opens, expected):
        places = np.empty(0, np.intp)
    else:
        played = np.minimum(np.searchsorted(opens, expected), len(opens) - 1)
        places = np.flatnonzero(opens[played] != expected)
    found = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
    longest = max((len(gap) for gap in found), default=0)
    return {
        "timeframe": frame.name,
        "expected": len(expected),
        "missing": len(places),
        "gaps": len(found),
        "longest_s": longest * tape.duration_ns / NS_PER_S,
        "first": [
            {
                "start": iso_from_ns(int(expected[gap[0]])),
                "end": iso_from_ns(int(expected[gap[-1]]) + tape.duration_ns),
                "bars": len(gap),
            }
            for gap in found[:_FIRST]
        ],
    }
