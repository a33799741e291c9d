"""What reconciliation may ask for. None of them invents an execution."""

from __future__ import annotations

from dataclasses import dataclass

from broker_api.adapter import AnyReport, BrokerOrder, BrokerTrade, OrderReport


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do; ``case`` names the row of the policy that asks for it."""

    case: str


@dataclass(frozen=True, slots=True)
class ApplyReports(Action):
    """Work reports in that the journal does not have, oldest first; then reconcile again."""

    reports: tuple[AnyReport, ...]


@dataclass(frozen=True, slots=True)
class FindOrder(Action):
    """Look an order up by its client id."""

    client_id: str


@dataclass(frozen=True, slots=True)
class AdoptOrder(Action):
    """Take an order of ours in that works at the broker and that the journal does not know."""

    report: OrderReport
    terms: BrokerOrder


@dataclass(frozen=True, slots=True)
class TakeTerms(Action):
    """Take price and size of a working order over from the broker."""

    client_id: str
    terms: BrokerOrder


@dataclass(frozen=True, slots=True)
class Resume(Action):
    """Go on with an order that certainly was not sent."""

    client_id: str


@dataclass(frozen=True, slots=True)
class NoteProtection(Action):
    """Take over the protective prices that the broker holds for a trade of ours."""

    trade_id: str
    held: BrokerTrade


@dataclass(frozen=True, slots=True)
class MarkForeignTrade(Action):
    """Show a ticket that nobody of us opened, as it is now; it is never touched."""

    held: BrokerTrade


@dataclass(frozen=True, slots=True)
class DropForeignTrade(Action):
    """Stop showing a foreign trade that is gone."""

    trade_id: str


@dataclass(frozen=True, slots=True)
class AccountBreak(Action):
    """Lock an instrument for opens and tell a person; unlocked when it no longer comes up."""

    instrument: str
    reason: str
