"""Handlers: accounts, instruments, configuration, changes, positions."""

from __future__ import annotations

from tests.oanda_simulator import changes, closing, views
from tests.oanda_simulator.calls import Call
from tests.oanda_simulator.reply import Reply, acted, error, of_account, refused
from tests.oanda_simulator.transactions import OutOfRange
from tests.oanda_simulator.values import Fields, csv_of, invalid, parse_decimal


def accounts(call: Call) -> Reply:
    """List the accounts of the token."""
    return Reply(
        200,
        {
            "accounts": [
                {"id": each.id, "mt4AccountID": each.settings.mt4_id, "tags": []}
                for each in call.venue.accounts.values()
            ]
        },
    )


def account(call: Call) -> Reply:
    """Tell everything of an account."""
    return of_account(call.account, {"account": views.whole(call.account)})


def summary(call: Call) -> Reply:
    """Tell the summary of an account."""
    return of_account(call.account, {"account": views.summary(call.account)})


def instruments(call: Call) -> Reply:
    """List what the account may trade."""
    asked = list(csv_of(call.query.get("instruments", "")))
    if set(asked) - call.venue.specs.keys():
        raise invalid("instruments")
    specs = [spec for name, spec in call.venue.specs.items() if not asked or name in asked]
    return of_account(call.account, {"instruments": [spec.fields() for spec in specs]})


def configure(call: Call) -> Reply:
    """Set alias and margin rate."""
    body, owner = call.body(), call.account
    first_id = owner.log.next_id
    fields: Fields = {}
    if (alias := body.get("alias")) is not None:
        fields["alias"] = str(alias)
    if (text := body.get("marginRate")) is not None:
        fields["marginRate"] = parse_decimal(text, "marginRate")
    rate = fields.get("marginRate")
    if rate is not None and not 0 < rate <= 1:
        entry = owner.log.append("CLIENT_CONFIGURE_REJECT", {**fields, "rejectReason": "MARGIN_RATE_INVALID"})
        return refused(owner, first_id, {"clientConfigureRejectTransaction": entry}, "MARGIN_RATE_INVALID")
    owner.alias = fields.get("alias", owner.alias)
    owner.margin_rate = rate if rate is not None else owner.margin_rate
    return acted(owner, first_id, {"clientConfigureTransaction": owner.log.append("CLIENT_CONFIGURE", fields)})


def account_changes(call: Call) -> Reply:
    """Tell what changed since a transaction."""
    since = call.required("sinceTransactionID")
    if not since.isdecimal():
        raise invalid("sinceTransactionID")
    try:
        found = changes.changes(call.account, int(since))
    except OutOfRange:
        return error(416, "The transaction ID is outside of the available range")
    return of_account(call.account, {"changes": found, "state": changes.state(call.account)})


def positions(call: Call) -> Reply:
    """List all positions, flat ones too."""
    return of_account(call.account, {"positions": views.positions(call.account)})


def open_positions(call: Call) -> Reply:
    """List the positions that are open."""
    return of_account(call.account, {"positions": views.positions(call.account, only_open=True)})


def _instrument(call: Call) -> str:
    if call.parts["instrument"] not in call.venue.specs:
        raise invalid("instrument")
    return call.parts["instrument"]


def position(call: Call) -> Reply:
    """Tell one position, flat or not."""
    return of_account(call.account, {"position": views.position(call.account, _instrument(call))})


def close_position(call: Call) -> Reply:
    """Close a position."""
    return closing.close_position(call.account, _instrument(call), call.body())
