"""Reconciliation: what the journal believes, compared with what the broker says. Pure."""

from broker_api.reconcile.actions import (
    AccountBreak,
    Action,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    MarkForeignTrade,
    NoteProtection,
    Resume,
)
from broker_api.reconcile.policy import POLICY, Case
from broker_api.reconcile.reconcile import JournalState, reconcile

__all__ = [
    "POLICY",
    "AccountBreak",
    "Action",
    "ApplyReports",
    "Case",
    "DropForeignTrade",
    "FindOrder",
    "JournalState",
    "MarkForeignTrade",
    "NoteProtection",
    "Resume",
    "reconcile",
]
