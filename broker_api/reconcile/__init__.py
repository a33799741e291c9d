"""Reconciliation: what the journal believes, compared with what the broker says. Pure."""

from broker_api.reconcile.actions import (
    AccountBreak,
    Action,
    AdoptOrder,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    MarkForeignTrade,
    NoteProtection,
    Resume,
    TakeTerms,
)
from broker_api.reconcile.policy import CASES, ORDERS, TICKETS, Case
from broker_api.reconcile.reconcile import JournalState, reconcile

__all__ = [
    "CASES",
    "ORDERS",
    "TICKETS",
    "AccountBreak",
    "Action",
    "AdoptOrder",
    "ApplyReports",
    "Case",
    "DropForeignTrade",
    "FindOrder",
    "JournalState",
    "MarkForeignTrade",
    "NoteProtection",
    "Resume",
    "TakeTerms",
    "reconcile",
]
