"""``etc/accounts/NAME.toml`` of an old account."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, NamedTuple

from framework_bridge.legacy.findings import Finding, Kind, Notes
from framework_bridge.legacy.old_config import OldAccount, OldTrader
from framework_bridge.legacy.symbols import canonical
from framework_bridge.legacy.toml_text import toml_text

_V20: Final = re.compile(r"\d+-\d+-\d+-\d+", re.ASCII)
_NO_ACCOUNT: Final = "000-000-0000000-000"
_DEAD: Final = ("alpari", "fxdd")
_OANDA: Final = "oanda"


class NewAccount(NamedTuple):
    """What an account becomes."""

    name: str
    broker: Literal["paper", "oanda"]
    enabled: bool
    positions: Literal["hedging", "netting"]
    currency: str
    initial_balance: str | None
    token: str | None


def new_account(
    trader: OldTrader, account: OldAccount, name: str, *, paper: bool
) -> tuple[NewAccount, tuple[Finding, ...]]:
    """Decide what an account becomes, and say what its user has to do."""
    notes = Notes(trader.file, account.line, account.section)
    has_id = _V20.fullmatch(account.account_id or "") is not None
    is_oanda = account.is_java or has_id or _OANDA in f"{account.broker} {account.name}".lower()
    currency = _currency(account, notes)
    balance = _balance(account, notes)
    positions: Literal["hedging", "netting"] = "netting" if account.uses_wrapper else "hedging"
    if paper:
        notes.add(Kind.CHANGED, "brokerName", f"{account.broker} becomes a paper account on synthetic prices (--paper)")
        return NewAccount(name, "paper", True, positions, currency, balance, None), tuple(notes.found)
    if not is_oanda:
        _other_broker(account, notes)
        return NewAccount(name, "paper", False, positions, currency, balance, None), tuple(notes.found)
    if account.is_java:
        notes.add(Kind.CHANGED, "isJava", "OANDA no longer has its Java interface: the account is reached over v20")
    token = f"ATRADER_{name.upper().replace('-', '_')}_TOKEN"
    if not has_id:
        text = f"{account.account_id or 'nothing'} is no account of OANDA's v20 interface: the account is not enabled"
        notes.add(
            Kind.TO_DO, "accountID", text,
            f"write account_id, four numbers with dashes, into etc/accounts/{name}.toml, and enabled = true there and"
            " in its strategies",
        )  # fmt: skip
    notes.add(
        Kind.TO_DO, "password", "login and password were not copied; v20 takes a personal access token",
        f"make one on OANDA's pages and put it into the environment as {token}",
    )  # fmt: skip
    if not account.uses_wrapper:
        notes.add(
            Kind.TO_DO, "useOrderWrapper", "was off: its open trades are tickets at the broker, shown as foreign",
            f"give each to its strategy: atrader-manager adopt {name} TRADE INSTANCE",
        )  # fmt: skip
    return NewAccount(name, "oanda", has_id, positions, currency, None, token), tuple(notes.found)


def account_text(trader: OldTrader, account: OldAccount, new: NewAccount) -> str:
    """Return the file."""
    values: dict[str, object] = {
        "broker": new.broker,
        "enabled": None if new.enabled else False,
        "positions": new.positions,
        "currency": new.currency,
    }
    if new.broker == "paper":
        values["paper"] = {"initial_balance": None if new.initial_balance is None else Decimal(new.initial_balance)}
    else:
        has_id = _V20.fullmatch(account.account_id or "") is not None
        values["oanda"] = {
            "environment": "practice" if account.is_demo else "live",
            "account_id": account.account_id if has_id else _NO_ACCOUNT,
            "token": f"env:{new.token}",
        }
    return toml_text([f"From [{account.section}] of {trader.file}."], values)


def _currency(account: OldAccount, notes: Notes) -> str:
    text = (account.currency or "USD").strip().upper()
    if re.fullmatch(r"[A-Z]{3}", text):
        return text
    pair = canonical(text)
    if pair is not None and "USD" in pair.split("/"):
        return next(part for part in pair.split("/") if part != "USD")
    notes.add(
        Kind.PROBLEM, "depositSymbol", f"expected a currency, was {text!r}: USD is written", "correct the account file"
    )
    return "USD"


def _balance(account: OldAccount, notes: Notes) -> str | None:
    if account.initial_balance is None:
        return None
    try:
        value = Decimal(account.initial_balance)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or not 0 < value < 10**15:
        notes.add(Kind.PROBLEM, "initialBalance", f"expected an amount above 0, was {account.initial_balance!r}")
        return None
    return str(value)


def _other_broker(account: OldAccount, notes: Notes) -> None:
    name = account.broker or "nothing"
    if any(dead in name.lower() for dead in _DEAD):
        text = f"{name} no longer exists: a paper account that is not enabled stands for it"
    else:
        text = f"there is no adapter for {name} yet: a paper account that is not enabled stands for it"
    notes.add(Kind.NO_COUNTERPART, "brokerName", text, "go on with OANDA, or try its strategies with --paper")
