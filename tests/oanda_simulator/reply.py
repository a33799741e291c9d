"""What a call is answered with, and the parts that all answers of an account share."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.values import Fields


@dataclass
class Reply:
    """A status, a body of core values (or the bytes of a broken one), and headers."""

    status: int
    body: Fields | bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def of_account(account: Account, body: Fields, status: int = 200) -> Reply:
    """Answer a question about an account."""
    return Reply(status, {**body, "lastTransactionID": str(account.log.last_id)})


def acted(account: Account, first_id: int, body: Fields, status: int = 200) -> Reply:
    """Answer a call that wrote transactions from ``first_id`` on."""
    related = [entry["id"] for entry in account.log.since(first_id - 1)]
    return of_account(account, {**body, "relatedTransactionIDs": related}, status)


def refused(account: Account, first_id: int, body: Fields, reason: str, status: int = 400) -> Reply:
    """Answer a call that the venue rejected with a transaction."""
    text = reason.replace("_", " ").capitalize()
    return acted(account, first_id, {**body, "errorCode": reason, "errorMessage": text}, status)


def error(status: int, message: str, code: str | None = None) -> Reply:
    """Answer with an error that has no transaction."""
    return Reply(status, {"errorMessage": message, "errorCode": code})
