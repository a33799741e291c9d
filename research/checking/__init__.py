"""Checks of a strategy itself: does it know what it cannot know, or depend on what a worker does not have.

Layers, each importing only those before it: ``finding`` (what is told), ``ahead`` (how far a leak reaches), ``spread``
(rows all over the bars), ``signals`` (arrays cut at every bar of a sample), ``beside``, ``again`` and ``events``
(decisions made a second time by a strategy that was started just before).
"""

from research.checking.events import check_events
from research.checking.finding import Finding, Report
from research.checking.signals import check_signals
from research.columns import TOLERANCE

__all__ = ["TOLERANCE", "Finding", "Report", "check_events", "check_signals"]
