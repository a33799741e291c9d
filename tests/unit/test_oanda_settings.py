"""What an account file may say about OANDA."""

from typing import Any

import pytest
from pydantic import ValidationError

from atrader.configuration.account import AccountConfig
from atrader.configuration.oanda import OandaSettings

MINE: dict[str, Any] = {"account_id": "001-004-1234567-001", "token": "env:OANDA_TOKEN"}


@pytest.mark.parametrize(
    ("environment", "rest", "stream"),
    [
        ("practice", "https://api-fxpractice.oanda.com", "https://stream-fxpractice.oanda.com"),
        ("live", "https://api-fxtrade.oanda.com", "https://stream-fxtrade.oanda.com"),
    ],
)
def test_the_environment_names_the_hosts(environment: str, rest: str, stream: str) -> None:
    settings = OandaSettings.model_validate({**MINE, "environment": environment})
    assert (settings.rest_base, settings.stream_base) == (rest, stream)


def test_the_simulator_on_this_host_needs_no_encryption() -> None:
    settings = OandaSettings.model_validate(
        {**MINE, "rest_url": "http://127.0.0.1:8080/", "stream_url": "http://[::1]:9"}
    )
    assert (settings.rest_base, settings.stream_base) == ("http://127.0.0.1:8080", "http://[::1]:9")


WRONG = [
    ({"rest_url": "http://example.com"}, "rest_url: credentials would travel unencrypted"),
    ({"stream_url": "http://10.0.0.1:8080"}, "stream_url: credentials would travel unencrypted"),
    ({"rest_url": "https://me:secret@example.com"}, "rest_url: must not hold a user or password"),
    ({"stream_url": "ftp://example.com"}, "stream_url: expected http"),
    ({"account_id": "1234567"}, "account_id"),
    ({"token": "0123456789abcdef-0123456789abcdef"}, "expected a reference to a secret"),
    ({"stream_silence": "0s"}, "stream_silence"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_would_give_the_token_away_or_make_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OandaSettings.model_validate({**MINE, **change})


def test_an_account_at_oanda_needs_its_table() -> None:
    with pytest.raises(ValidationError, match=r"needs a table \[oanda\]"):
        AccountConfig.model_validate({"name": "mine", "broker": "oanda"})
