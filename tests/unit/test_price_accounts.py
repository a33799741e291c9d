"""Which account brings the prices of an instrument: one clear rule, and refusal where it says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from atrader.configuration.fleet import Installation
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.price_accounts import PriceAccounts

OANDA = 'broker = "oanda"\n[oanda]\naccount_id = "101-004-1-001"\ntoken = "env:OANDA_TOKEN"\n'


def installation(fleet: dict[str, Any], strategies: dict[str, tuple[str, str]], **accounts: str) -> Installation:
    """Return what accounts ``NAME="CURRENCY"`` (paper ones begin with "paper") and ``NAME=(account, symbol)`` make."""
    oanda = {"account_id": "101-004-1-001", "token": "env:OANDA_TOKEN"}
    return Installation.model_validate(
        {
            "home": "/nowhere",
            "fleet": fleet,
            "accounts": {
                name: {"name": name, "currency": currency}
                | ({"broker": "paper"} if name.startswith("paper") else {"broker": "oanda", "oanda": oanda})
                for name, currency in accounts.items()
            },
            "instances": {
                name: {
                    "name": name,
                    "strategy": "sma-cross",
                    "account": account,
                    "magic": magic,
                    "instrument": symbol,
                    "timeframe": "1m",
                }
                for magic, (name, (account, symbol)) in enumerate(strategies.items(), 1)
            },
        }
    )


def test_an_instrument_gets_its_prices_from_the_account_that_trades_it():
    made = installation({}, {"one": ("a", "EUR/USD"), "two": ("b", "USD/JPY")}, a="USD", b="USD")
    accounts = PriceAccounts.of(made)
    assert (accounts.account_of("EUR/USD"), accounts.account_of("USD/JPY")) == ("a", "b")
    assert accounts.brought_by("a") == {"EUR/USD"}
    assert accounts.brought_by("b") == {"USD/JPY"}, "it also turns yen into dollars"
    assert accounts.account_of("XAU/USD") is None, "nobody trades it, and two could bring it"


def test_a_setting_decides_before_that_and_one_for_an_instrument_before_one_for_all():
    market = {"price_account": "b", "price_accounts": {"XAU/USD": "a"}}
    made = installation({"market": market}, {"one": ("a", "EUR/USD"), "two": ("b", "EUR/USD")}, a="USD", b="USD")
    accounts = PriceAccounts.of(made)
    assert (accounts.account_of("EUR/USD"), accounts.account_of("XAU/USD")) == ("b", "a")
    assert accounts.brought_by("a") == set(), "nobody needs gold"


def test_the_only_account_with_prices_brings_those_of_paper_accounts_too_and_rates_of_exchange():
    made = installation(
        {"market": {"instruments": ["XAU/USD"]}}, {"one": ("paper", "GBP/JPY")}, paper="EUR", real="USD"
    )
    accounts = PriceAccounts.of(made)
    assert accounts.rates_of("paper") == {"EUR/JPY"}, "yen to euros; there is no JPY/EUR"
    assert accounts.brought_by("real") == {"GBP/JPY", "EUR/JPY", "XAU/USD"}
    assert accounts.brought_by("paper") == set()


def test_a_rate_that_nobody_trades_comes_from_the_first_account_that_needs_it():
    made = installation({}, {"one": ("b", "GBP/JPY"), "two": ("c", "CHF/JPY")}, a="EUR", b="EUR", c="EUR")
    assert PriceAccounts.of(made).account_of("EUR/JPY") == "b"


def test_with_a_market_feed_no_account_brings_prices():
    made = installation({"market": {"feed": "synthetic", "instruments": ["EUR/USD"]}}, {}, a="USD")
    assert PriceAccounts.of(made).account_of("EUR/USD") is None


@pytest.mark.parametrize(
    ("fleet", "strategies", "accounts", "problem"),
    [
        ("", {"one": "a", "two": "b"}, {"a": OANDA, "b": OANDA}, "EUR/USD is traded on a and b"),
        ("price_account = 'c'", {}, {"a": OANDA}, "market.price_account: there is no etc/accounts/c.toml"),
        ("price_account = 'p'", {}, {"p": 'broker = "paper"'}, "account 'p' has no prices: its broker is 'paper'"),
        ("price_account = 'a'", {}, {"a": f"enabled = false\n{OANDA}"}, "account 'a' is not enabled"),
        ("price_accounts = {'EUR/XYZ' = 'a'}", {}, {"a": OANDA}, "market.price_accounts: unknown instrument 'EUR/XYZ'"),
        ("feed = 'synthetic'\ninstruments = ['EUR/USD']", {}, {"a": OANDA}, "etc/accounts/a.toml: broker: 'oanda' has"),
        (
            "feed = 'synthetic'\ninstruments = ['EUR/USD']\nprice_account = 'p'",
            {},
            {"p": 'broker = "paper"'},
            "all prices come from market.feed = 'synthetic'",
        ),
        (
            "",
            {"one": "p"},
            {"p": 'broker = "paper"', "a": OANDA, "b": OANDA},
            "of a, b nobody is said to bring the prices of EUR/USD",
        ),
        (
            "",
            {"one": "p"},
            {"p": 'broker = "paper"'},
            "while market.feed is 'none' in etc/atrader.toml: set a feed,"
            " or enabled = false here (backtests run it all the same)",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_file_and_key(
    tmp_path: Path, fleet: str, strategies: dict[str, str], accounts: dict[str, str], problem: str
) -> None:
    for folder in ("accounts", "strategies"):
        (tmp_path / "etc" / folder).mkdir(parents=True)
    (tmp_path / "etc" / "atrader.toml").write_text(f"[market]\n{fleet}\n")
    for name, text in accounts.items():
        (tmp_path / "etc" / "accounts" / f"{name}.toml").write_text(text)
    for magic, (name, account) in enumerate(strategies.items(), 1):
        (tmp_path / "etc" / "strategies" / f"{name}.toml").write_text(
            f'strategy = "sma-cross"\naccount = "{account}"\nmagic = {magic}\ninstrument = "EUR/USD"\ntimeframe = "1m"'
        )
    with pytest.raises(ConfigError) as refused:
        load_installation(tmp_path)
    [found] = refused.value.args[0].splitlines()[1:]
    assert problem in found
