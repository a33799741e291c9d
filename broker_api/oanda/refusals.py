"""A refusal of the broker as `Rejected` with a reason that all adapters share. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from atrader.errors import Rejected
from atrader.orders.states import OrderState
from broker_api.adapter import AnyReport, OrderReport
from broker_api.oanda.codec import Fields, transactions_in
from broker_api.oanda.reasons import MEANINGS, reason_of

_UNAUTHORISED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


def rejected(reason: str) -> Rejected:
    """Return the error for a reason code."""
    meaning = MEANINGS.get(reason)
    return Rejected(f"{reason}: {meaning}" if meaning else reason, details={"reason": reason})


def refusal_of(error: Rejected, missing: str = "not-found") -> Rejected:
    """Return what a refused request means.

    Parameters
    ----------
    error : Rejected
        Of `broker_api.oanda.status.body_of`.
    missing : str
        Reason code when what the request was about is not there.
    """
    body, status = Fields(error.details.get("body")), error.details.get("status")
    for item in transactions_in(body.source):
        if code := item.text("rejectReason"):
            return _with_words(reason_of(code), error)
    if code := body.text("errorCode"):
        return _with_words(reason_of(code.rpartition("::")[2]), error)
    if status in _UNAUTHORISED:
        return _with_words("not-authorised", error)
    return _with_words(missing if status == _NOT_FOUND else "refused", error)


def refused_in(reports: Iterable[AnyReport], client_id: str) -> str | None:
    """Return why the order of a client id was refused, if the reports say so: a 201 may be a refusal."""
    for report in reports:
        if isinstance(report, OrderReport) and report.client_id == client_id and report.state is OrderState.REJECTED:
            return report.reason
    return None


def _with_words(reason: str, error: Rejected) -> Rejected:
    return Rejected(f"{reason}: {error.message}", details={"reason": reason})
