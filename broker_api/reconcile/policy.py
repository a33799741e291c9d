"""The policy of reconciliation as data: tests and documentation are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what the journal has, what the broker says, what is done, and why."""

    journal: str
    broker: str
    action: str
    why: str


POLICY: Final[Mapping[str, Case]] = {
    "unseen-report": Case(
        "lacks a report",
        "sends it",
        "work it in, then compare again",
        "what happened while nobody listened is asked for, not guessed",
    ),
    "not-sent": Case(
        "order NEW",
        "does not know it",
        "go on: judged anew, then sent with the same id, or given up",
        "NEW is written only when it certainly was not executed",
    ),
    "in-flight-works": Case(
        "order NEW, SENT, UNKNOWN or LOST",
        "works on it",
        "adopt: WORKING",
        "the answer was lost, the order was not",
    ),
    "in-flight-absent": Case(
        "order SENT or UNKNOWN",
        "does not mention it",
        "look it up until it is found or proved absent; never send again on a guess",
        "a broker may not know an order for a while after it accepted it",
    ),
    "working-agrees": Case("order WORKING or PARTIAL", "works on it", "nothing", "they agree"),
    "working-gone": Case(
        "order WORKING or PARTIAL",
        "no longer works on it, no report says why",
        "look it up; a break until its end is found",
        "only the broker's word ends an order",
    ),
    "stray-order": Case(
        "does not know the order",
        "works on one with an id of ours",
        "a break: the instrument cannot be known, a person looks; its fill will be adopted",
        "the journal was lost or replaced; cancelling what somebody wants is no repair",
    ),
    "foreign-order": Case(
        "does not know the order", "works on one with an id of nobody of us", "nothing", "it is not ours to touch"
    ),
    "trade-agrees": Case("open trade", "holds its ticket with the same units", "nothing", "they agree"),
    "protection-moved": Case(
        "open trade",
        "holds its ticket with other stops",
        "take the broker's prices over",
        "the broker carries them out, and trails them",
    ),
    "units-differ": Case(
        "open trade",
        "holds its ticket with other units",
        "a break",
        "a fill is missing on one side; none is invented",
    ),
    "trade-gone": Case(
        "open trade of ours",
        "does not hold its ticket, no fill closes it",
        "a break",
        "a fill is missing; none is invented",
    ),
    "foreign-gone": Case(
        "open foreign trade", "does not hold its ticket", "stop showing it", "it is shown, not accounted for"
    ),
    "ticket-ours": Case(
        "does not know the ticket",
        "holds one with an id of ours",
        "look the order up for its fill; a break until it is found",
        "it is ours, but only its fill says how it came about",
    ),
    "ticket-foreign": Case(
        "does not know the ticket",
        "holds one of nobody of us",
        "show it with magic number 0, never touch it",
        "somebody else trades on this account",
    ),
    "net-differs": Case(
        "trades add up to something else",
        "holds another net position",
        "a break",
        "a fill is missing on one side; none is invented",
    ),
}
"""Every case by its code."""
