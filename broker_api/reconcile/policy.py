"""The policy of reconciliation as data: `reconcile` follows it, tests and documentation are made from it.

Two tables say for everything the journal may believe and everything the broker may say which *case* it is; `CASES` says
what is done then, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from atrader.orders.states import OrderState


@dataclass(frozen=True, slots=True)
class Case:
    """What is done, and why; ``does`` names the actions that are asked for, in order."""

    does: tuple[str, ...]
    action: str
    why: str


CASES: Final[Mapping[str, Case]] = {
    "unseen-report": Case(
        ("ApplyReports",),
        "work it in, then compare again",
        "what happened while nobody listened is asked for, not guessed",
    ),
    "turned-up-late": Case(
        ("ApplyReports",),
        "adopt it, alert `late-order`",
        "it was proved absent, but the money at the broker is real",
    ),
    "in-flight-works": Case(("ApplyReports",), "adopt: WORKING", "the answer was lost, the order was not"),
    "not-sent": Case(
        ("Resume",),
        "go on: judged anew, then sent with the same id, or given up",
        "NEW is written only when it certainly was not executed",
    ),
    "in-flight-absent": Case(
        ("FindOrder",),
        "look it up until it is found or proved absent; never send again on a guess",
        "a broker may not know an order for a while after it accepted it",
    ),
    "in-hand": Case((), "nothing", "somebody is sending, changing or looking it up right now: that ends by itself"),
    "working-agrees": Case((), "nothing", "they agree"),
    "order-moved": Case(
        ("TakeTerms",),
        "take price and size over from the broker",
        "a person moved it, or a change whose answer was lost; the broker carries it out as it is there",
    ),
    "working-gone": Case(
        ("FindOrder", "AccountBreak"),
        "look it up; a break until its end is found",
        "only the broker's word ends an order",
    ),
    "over": Case((), "nothing", "it has its outcome, and the broker says nothing else"),
    "old-news": Case((), "nothing", "it was told before the end that is known already"),
    "ends-differ": Case(
        (),
        "nothing: the first outcome stays; as an event it is an alert `order-conflict`",
        "an outcome is final; what it filled is told by fills",
    ),
    "no-such-word": Case((), "nothing by this word", "an order to trade is never DONE: whether it works decides"),
    "ended-works": Case(
        ("AccountBreak",),
        "a break until one of both is no longer so",
        "it has an outcome here and may still fill there",
    ),
    "stray-order": Case(
        ("AdoptOrder",),
        "adopt it as WORKING, alert `adopted-order`; a stop finds a trade without one, else it is taken back",
        "it is ours by its id; the journal was lost or replaced",
    ),
    "stray-blind": Case(
        ("AccountBreak",),
        "a break of the whole account",
        "it is ours by its id, but the broker does not show what it would do: a person looks",
    ),
    "stray-ended": Case((), "nothing", "it is ours and over; what it filled comes as fills"),
    "foreign-order": Case((), "nothing", "it is not ours to touch"),
    "trade-agrees": Case((), "nothing", "they agree"),
    "protection-moved": Case(
        ("NoteProtection",),
        "take the broker's prices over; alert `stop-gone` when a trade of ours has no stop any more",
        "the broker carries them out, and trails them",
    ),
    "units-differ": Case(("AccountBreak",), "a break", "a fill is missing on one side; none is invented"),
    "trade-gone": Case(("AccountBreak",), "a break", "a fill is missing; none is invented"),
    "foreign-differs": Case(("MarkForeignTrade",), "show it as it is now", "it is shown, not accounted for"),
    "foreign-gone": Case(("DropForeignTrade",), "stop showing it", "it is shown, not accounted for"),
    "ticket-ours": Case(
        ("FindOrder", "AccountBreak"),
        "look the order up for its fill; a break until it is found",
        "it is ours, but only its fill says how it came about",
    ),
    "ticket-foreign": Case(
        ("MarkForeignTrade",),
        "show it with magic number 0, never touch it, alert `foreign-trade`",
        "somebody else trades on this account",
    ),
    "net-differs": Case(
        ("AccountBreak",),
        "a break: the instrument is locked for opens until the sums agree",
        "a fill is missing on one side; none is invented",
    ),
}
"""What is done, by code."""

# -- orders

OURS: Final = "not known, id of ours"
OURS_BLIND: Final = "not known, id of ours, its terms not shown"
NOBODYS: Final = "not known, id of nobody of us"

FILL: Final = "a fill"
WORKS: Final = "works on it"
WORKS_OTHERWISE: Final = "works on it, price or size differ"
WORKS_IN_HAND: Final = "works on it, price or size differ, a change is under way"
SILENT: Final = "does not mention it"
SILENT_IN_HAND: Final = "does not mention it, it is in hand"
TOLD: Final = tuple(
    (state, f"reports {state}")
    for state in (
        *(OrderState.WORKING, OrderState.DONE, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED),
    )
)
ORDER_COLUMNS: Final = (
    FILL, *(name for _, name in TOLD), WORKS, WORKS_OTHERWISE, WORKS_IN_HAND, SILENT, SILENT_IN_HAND,
)  # fmt: skip
"""What the broker may say of an order: news since the watermark first, then what its snapshot shows."""


def _row(news: str, told: Mapping[OrderState, str], works: str, silent: str, **others: str) -> Mapping[str, str]:
    row = {FILL: "unseen-report" if news != "turned-up-late" else news}
    row |= {name: told.get(state, news) for state, name in TOLD}
    row |= {WORKS: works, WORKS_OTHERWISE: others.get("otherwise", works)}
    row |= {WORKS_IN_HAND: others.get("changing", works), SILENT: silent, SILENT_IN_HAND: others.get("in_hand", silent)}
    return MappingProxyType(row)


def _ended(state: OrderState) -> Mapping[str, str]:
    told = {OrderState.WORKING: "old-news", state: "over"}
    return _row("ends-differ", told, "ended-works", "over")


_S: Final = OrderState
_LIVE: Final = _row(
    "unseen-report",
    {_S.WORKING: "old-news", _S.DONE: "no-such-word"},
    *("working-agrees", "working-gone"),
    otherwise="order-moved",
    changing="in-hand",
    in_hand="in-hand",
)
_IN_FLIGHT: Final = _row("unseen-report", {}, "in-flight-works", "in-flight-absent", in_hand="in-hand")

ORDERS: Final[Mapping[str, Mapping[str, str]]] = {
    _S.NEW: _row("unseen-report", {}, "in-flight-works", "not-sent", in_hand="in-hand"),
    _S.SENT: _IN_FLIGHT,
    _S.UNKNOWN: _IN_FLIGHT,
    _S.WORKING: _LIVE,
    _S.PARTIAL: _LIVE,
    **{state: _ended(state) for state in (_S.FILLED, _S.DONE, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.DENIED)},
    _S.LOST: _row("turned-up-late", {}, "turned-up-late", "over"),
    OURS: _row("stray-ended", {}, "stray-order", "over"),
    OURS_BLIND: _row("stray-ended", {}, "stray-blind", "over"),
    NOBODYS: _row("foreign-order", {}, "foreign-order", "over"),
}
"""The case of an order: by its state in the journal, then by what the broker says."""

# -- tickets

OWN_TRADE: Final = "open trade of ours"
FOREIGN_TRADE: Final = "open foreign trade"
OUR_TICKET: Final = "does not know it, id of ours"
THEIR_TICKET: Final = "does not know it, id of nobody of us"

SAME: Final = "holds it"
OTHER_STOPS: Final = "holds it with other stops"
OTHER_UNITS: Final = "holds it with other units or side"
ABSENT: Final = "does not hold it"
TICKET_COLUMNS: Final = (SAME, OTHER_STOPS, OTHER_UNITS, ABSENT)
"""What the broker may say of a ticket (hedging accounts)."""

TICKETS: Final[Mapping[str, Mapping[str, str]]] = {
    OWN_TRADE: {
        SAME: "trade-agrees",
        OTHER_STOPS: "protection-moved",
        OTHER_UNITS: "units-differ",
        ABSENT: "trade-gone",
    },
    FOREIGN_TRADE: {
        SAME: "trade-agrees",
        OTHER_STOPS: "protection-moved",
        OTHER_UNITS: "foreign-differs",
        ABSENT: "foreign-gone",
    },
    OUR_TICKET: {SAME: "ticket-ours", OTHER_STOPS: "ticket-ours", OTHER_UNITS: "ticket-ours", ABSENT: "over"},
    THEIR_TICKET: {
        SAME: "ticket-foreign",
        OTHER_STOPS: "ticket-foreign",
        OTHER_UNITS: "ticket-foreign",
        ABSENT: "over",
    },
}
"""The case of a ticket: by what the journal has, then by what the broker says."""

# -- what is booked where


@dataclass(frozen=True, slots=True)
class News:
    """Something the broker tells, on which kind of account, where it is booked, and why."""

    what: str
    account: str
    booked: str
    why: str


NEWS: Final[Mapping[str, News]] = {
    "own-order": News(
        "a fill of an order of ours", "any", "on its order and its trade", "the client id says whose it is"
    ),
    "after-the-end": News(
        "a fill of an order that has its outcome",
        "any",
        "on its trade; the order keeps its outcome and counts the units",
        "a cancellation and a fill may cross; the money is real",
    ),
    "unknown-order": News(
        "a fill with an id of ours that the journal does not know",
        "any",
        "on an order made for it, alert `adopted-order`",
        "the journal was lost or replaced; the id says whose it is",
    ),
    "net-stop": News(
        "a fill of a stop that waited for a trade",
        "netting",
        "on that trade, as `stop-loss` or `trailing-stop`",
        "each trade has a stop of its own there",
    ),
    "excess": News(
        "a fill that closes more than its trade holds",
        "any",
        "the rest with magic number 0, alert `excess-close`",
        "nobody's trade may be closed for another",
    ),
    "ticket": News(
        "a stop, target, margin close-out or close by hand of a ticket of ours",
        "hedging",
        "on the ticket's trade, with its reason",
        "the ticket says whose it is",
    ),
    "closed-out": News(
        "a margin close-out, or a position closed by hand",
        "netting",
        "on the trades of that side, oldest first; those of the ticket's magic number before, when it is told; the rest"
        " with magic number 0",
        "a net position has no owner; this order closes what a broker closes first",
    ),
    "by-hand": News("a person's own order", "any", "with magic number 0", "it is not ours"),
    "financing": News(
        "financing or a dividend",
        "any",
        "on its ticket; on a net position by units among the trades of the instrument",
        "who holds pays",
    ),
}
"""Where news are booked, by code."""
