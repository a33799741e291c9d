"""The loader: what is right is read, what is wrong is named with file, key and remedy, all at once."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from atrader.clock import parse_time
from atrader.configuration.limits import PropFirmLimits
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError

FLEET = """
[market]
feed = "synthetic"
instruments = ["EUR/USD", "USD/JPY"]
[data]
base_timeframe = "5s"
"""
ACCOUNT = 'broker = "paper"\n'
STRATEGY = """
strategy = "sma-cross"
account = "paper"
magic = 1
instrument = "EUR/USD"
timeframe = "1m"
"""
TERMS = """
kind = "cfd"
price_tick = 0.01
pip = 0.1
unit_step = 1
min_units = 1
max_units = 10
margin_rate_frac = 0.05
"""


class Etc:
    """Files of one installation."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("atrader.toml", FLEET)
        self.write("accounts/paper.toml", ACCOUNT)
        self.write("strategies/alpha.toml", STRATEGY)

    def write(self, name: str, content: str | bytes) -> None:
        path = self.root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def problems(self) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_installation(self.root)
        found = caught.value.details["problems"]
        assert isinstance(found, list)
        assert all(problem in str(caught.value) for problem in found)
        return found

    def problem(self) -> str:
        (found,) = self.problems()
        return found


@pytest.fixture
def etc(tmp_path: Path) -> Etc:
    return Etc(tmp_path)


def test_a_right_configuration_is_read_whole(etc):
    etc.write("strategies/beta.toml", STRATEGY.replace("magic = 1", "magic = 2") + "[parameters]\nstop_atr = 2.50\n")
    installation = load_installation(etc.root)
    assert installation.home == str(etc.root)
    assert list(installation.instances) == ["alpha", "beta"]
    assert installation.accounts["paper"].name == "paper"
    assert installation.instances["beta"].parameters == {"stop_atr": Decimal("2.50")}
    assert installation.fleet.data.base_timeframe == "5s"


def test_a_relative_home_becomes_absolute(etc, monkeypatch):
    monkeypatch.chdir(etc.root)
    assert load_installation(Path(".")).home == str(etc.root)


def test_a_directory_without_configuration_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="atrader-manager init"):
        load_installation(tmp_path)


def test_a_fleet_without_accounts_and_strategies_is_one(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "atrader.toml").write_text("")
    assert load_installation(tmp_path).instances == {}


def test_hidden_files_and_other_files_are_passed_over(etc):
    etc.write("strategies/.alpha.toml", "broken")
    etc.write("strategies/alpha.toml~", "broken")
    etc.write("strategies/README.md", "broken")
    assert list(load_installation(etc.root).instances) == ["alpha"]


SINGLE = [
    (
        "atrader.toml",
        'beat_intervall = "1s"\n' + FLEET,
        "etc/atrader.toml: beat_intervall: unknown key - did you mean 'beat_interval'?",
    ),
    (
        "atrader.toml",
        FLEET + "flush = 1\n",
        "etc/atrader.toml: data.flush: unknown key - did you mean 'flush_interval'?",
    ),
    ("atrader.toml", FLEET + "flush_interval = 3\n", "bare number 3"),
    ("atrader.toml", FLEET + 'flush_interval = "3 parsecs"\n', "expected a duration with a unit such as '500ms'"),
    ("atrader.toml", FLEET + "[market.replay]\nspeed = 0.5\n", "etc/atrader.toml: market.replay.speed: "),
    ("atrader.toml", FLEET + '[market.replay]\nstart = "yesterday"\n', "etc/atrader.toml: market.replay: "),
    ("atrader.toml", FLEET + '[market.replay]\nstart = "2024-01-02"\nend = "2024-01-02"\n', "is not after start"),
    (
        "atrader.toml",
        FLEET.replace('"5s"', '"1d"'),
        "etc/atrader.toml: data.base_timeframe: expected a timeframe below a day",
    ),
    ("atrader.toml", FLEET.replace("USD/JPY", "EUR/USD"), "market.instruments: 'EUR/USD' is named twice"),
    ("atrader.toml", FLEET.replace("USD/JPY", "USDJPY"), "unknown instrument 'USDJPY' - did you mean 'USD/JPY'?"),
    ("atrader.toml", FLEET.replace("USD/JPY", "QQQ/ZZZ"), "define it under [instruments.'QQQ/ZZZ']"),
    ("atrader.toml", FLEET + "[calendars.nyse]\n", "calendars: calendar: expected one of 'fx', '24/7' or a clock"),
    (
        "atrader.toml",
        FLEET + "[calendars.fx]\nclosed = ['2026-12-24']\n",
        "fx.closed: expected a period such",
    ),
    (
        "atrader.toml",
        FLEET + "[calendars.fx]\nclosed = ['2026-12-25/2026-12-24']\n",
        "the period '2026-12-25/2026-12-24' ends before it starts",
    ),
    (
        "atrader.toml",
        FLEET + "[calendars.fx]\nclosed = ['2026-12-24T14:00/2026-12-25']\n",
        "expected a zone after the date and time",
    ),
    ("atrader.toml", FLEET + "[instruments.'XAU/USD']\nsymbol = 'XAU/EUR'\n" + TERMS, "must be 'XAU/USD'"),
    (
        "atrader.toml",
        "max_workers = \n" + FLEET,
        "etc/atrader.toml: is no valid TOML: Invalid value (at line 1, column 15)",
    ),
    ("atrader.toml", b"\n\n# \xff", "etc/atrader.toml: line 3: is not UTF-8 text (byte 0xff)"),
    ("atrader.toml", "x = " + "[" * 9000, "nested too deeply"),
    ("atrader.toml", "x = " + "9" * 5000, "is no valid TOML"),
    (
        "accounts/paper.toml",
        ACCOUNT + "[limits]\ndaily_los = 5\n",
        "etc/accounts/paper.toml: limits.daily_los: unknown key - did you mean 'daily_loss'?",
    ),
    (
        "accounts/paper.toml",
        ACCOUNT + "limits.correlated = [{instruments = ['EUR/USD', 'GBP/US'], max_exposure_frac = 1}]\n",
        "limits.correlated[0].instruments: unknown instrument 'GBP/US' - did you mean 'GBP/USD'?",
    ),
    (
        "accounts/paper.toml",
        ACCOUNT + "day_start = 'moon'\n",
        "etc/accounts/paper.toml: day_start: calendar: expected one of 'fx', '24/7' or a clock",
    ),
    ("accounts/paper.toml", "", "etc/accounts/paper.toml: broker: is required and missing"),
    ("accounts/paper.toml", ACCOUNT + "name = 'other'\n", "etc/accounts/paper.toml: name: must be 'paper'"),
    (
        "accounts/paper.toml",
        ACCOUNT + "enabled = false\n",
        "etc/strategies/alpha.toml: account: 'paper' is not enabled",
    ),
    ("accounts/paper.toml", ACCOUNT + "currency = 'EUR'\n[trade]\nmax_price_age = nan\n", "trade.max_price_age: "),
    ("accounts/paper.toml", ACCOUNT + "[trade]\nmax_units = inf\n", "trade.max_units: "),
    ("accounts/paper.toml", ACCOUNT + "[trade]\nprice_band_frac = -1\n", "trade.price_band_frac: "),
    ("accounts/Main.toml", ACCOUNT, "etc/accounts/Main.toml: rename it"),
    ("strategies/beta.toml", STRATEGY, "etc/strategies/beta.toml: magic: 1 is used by etc/strategies/alpha.toml too"),
    (
        "strategies/alpha.toml",
        STRATEGY.replace('"paper"', '"papre"'),
        "there is no etc/accounts/papre.toml - did you mean 'paper'?",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY.replace('"1m"', '"7s"'),
        "timeframe: 7s is no multiple of data.base_timeframe (5s)",
    ),
    ("strategies/alpha.toml", STRATEGY.replace('"1m"', '"1s"'), "timeframe: 1s is no multiple"),
    (
        "strategies/alpha.toml",
        STRATEGY.replace('"1m"', '"24h"'),
        "etc/strategies/alpha.toml: timeframe: expected less than a day",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY.replace("EUR/USD", "EUR/USB"),
        "instrument: unknown instrument 'EUR/USB' - did you mean 'EUR/USD'?",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY.replace("EUR/USD", "GBP/USD"),
        "nobody quotes it; add 'GBP/USD' to market.instruments",
    ),
    ("strategies/alpha.toml", STRATEGY.replace("sma-cross", "sma cross"), "strategy: expected a built-in name"),
    (
        "strategies/alpha.toml",
        STRATEGY + "[limits]\nexit_at_session_end = true\n",
        "limits: exit_at_session_end needs a session",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY + "limits.session = {start = '25:00', end = '10:00'}\n",
        "limits.session: start: expected a local time such as 08:00",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY + "limits.session = {start = '08:00', end = '10:00', zone = 'Mars'}\n",
        "limits.session: zone: expected an IANA zone",
    ),
    (
        "strategies/alpha.toml",
        STRATEGY + "[selection]\nphases = 'range'\n",
        "etc/strategies/alpha.toml: selection.phases: input should be a list, such as ['a', 'b'], was 'range'",
    ),
    ("strategies/alpha.toml", STRATEGY.replace("magic = 1", "magic = 0"), "magic: "),
    ("strategies/alpha.toml", STRATEGY.replace("magic = 1", "magic = 2147483648"), "magic: "),
]


@pytest.mark.parametrize(("file", "content", "expected"), SINGLE, ids=range(len(SINGLE)))
def test_one_mistake_is_one_line_that_names_file_key_and_remedy(etc, file, content, expected):
    etc.write(file, content)
    assert expected in etc.problem()


def test_all_mistakes_of_all_files_come_at_once(etc):
    etc.write("atrader.toml", 'beat_intervall = "1s"\n' + FLEET)
    etc.write("accounts/paper.toml", "broker = paper")
    etc.write("strategies/alpha.toml", STRATEGY + "oops = 1\n")
    etc.write("strategies/beta.toml", STRATEGY.replace('"paper"', '"nobody"'))
    assert [problem.split(": ")[0] for problem in etc.problems()] == [
        "etc/atrader.toml",
        "etc/accounts/paper.toml",
        "etc/strategies/alpha.toml",
        "etc/strategies/beta.toml",
    ]


def test_the_value_of_an_unknown_key_is_never_shown_for_it_may_be_a_secret(etc):
    etc.write("accounts/paper.toml", ACCOUNT + 'password = "hunter2"\n')
    assert "hunter2" not in etc.problem()


def test_a_broken_account_is_not_reported_as_unknown_too(etc):
    etc.write("accounts/paper.toml", "broker = paper")
    assert "etc/accounts/paper.toml: is no valid TOML" in etc.problem()


@pytest.mark.parametrize("name", ["atrader.toml", "accounts/paper.toml"])
def test_a_file_that_cannot_be_read_is_named(etc, name):
    path = etc.root / "etc" / name
    path.unlink()
    path.symlink_to(path.name)  # also root cannot read a link to itself
    assert etc.problem() == f"etc/{name}: cannot be read: Too many levels of symbolic links"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_entered_is_a_configuration_error(etc):
    (etc.root / "etc").chmod(0)
    try:
        assert "etc/atrader.toml: cannot be read: Permission denied" in etc.problems()
    finally:
        (etc.root / "etc").chmod(0o700)


def test_a_directory_in_place_of_a_file_is_named(etc):
    (etc.root / "etc" / "strategies" / "beta.toml").mkdir()
    assert etc.problem() == "etc/strategies/beta.toml: cannot be read: Is a directory"


def test_a_file_in_place_of_a_directory_is_named(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "atrader.toml").write_text("")
    (tmp_path / "etc" / "accounts").write_text("")
    with pytest.raises(ConfigError, match="etc/accounts: cannot be read"):
        load_installation(tmp_path)


def test_a_session_in_the_worker_needs_one_strategy_and_no_more(etc):
    etc.write("accounts/paper.toml", ACCOUNT + "session = 'worker'\n")
    assert load_installation(etc.root).accounts["paper"].session == "worker"
    beta = STRATEGY.replace("magic = 1", "magic = 2")
    etc.write("strategies/beta.toml", beta)
    assert etc.problem() == (
        "etc/accounts/paper.toml: session: a worker can hold it for itself only, but etc/strategies/alpha.toml,"
        " etc/strategies/beta.toml use the account; write 'gateway'"
    )
    etc.write("strategies/beta.toml", f"enabled = false\n{beta}")
    load_installation(etc.root)
    etc.write("strategies/alpha.toml", f"enabled = false\n{STRATEGY}")
    assert "no enabled strategy uses the account" in etc.problem()
    etc.write("strategies/beta.toml", "broken")  # it may be the one that uses it
    assert "session" not in etc.problem()
    etc.write("accounts/paper.toml", ACCOUNT + "session = 'worker'\nenabled = false\n")
    assert "session" not in etc.problem()


def test_what_only_a_gateway_of_its_own_could_do_is_refused_with_a_session_in_the_worker(etc):
    etc.write("accounts/paper.toml", ACCOUNT + "session = 'worker'\n")
    etc.write("strategies/alpha.toml", f"on_down = 'flatten'\n{STRATEGY}")
    assert etc.problem().startswith("etc/strategies/alpha.toml: on_down: nobody could carry out 'flatten'")


def test_a_quote_currency_needs_a_rate_to_the_accounts_currency(etc):
    etc.write("strategies/alpha.toml", STRATEGY.replace("EUR/USD", "EUR/GBP"))
    etc.write("atrader.toml", FLEET.replace("USD/JPY", "EUR/GBP"))
    assert "add GBP/USD or USD/GBP to market.instruments" in etc.problem()
    etc.write("atrader.toml", FLEET.replace('"USD/JPY"', '"EUR/GBP", "GBP/USD"'))
    assert load_installation(etc.root).instances["alpha"].instrument == "EUR/GBP"


def test_a_feed_without_instruments_and_no_feed_at_all_are_mistakes(etc):
    etc.write("atrader.toml", '[market]\nfeed = "synthetic"\n')
    assert any("needs at least one instrument" in problem for problem in etc.problems())
    etc.write("atrader.toml", "")
    assert "market.feed is 'none'" in etc.problem()


def test_a_strategy_that_is_not_enabled_needs_no_prices(etc):
    etc.write("atrader.toml", "")
    etc.write("strategies/alpha.toml", STRATEGY + "enabled = false\n")
    assert not load_installation(etc.root).instances["alpha"].enabled


def test_bars_cannot_be_built_from_longer_ones(etc):
    etc.write("atrader.toml", FLEET.replace("synthetic", "replay"))
    assert "5s bars cannot be built from the 1m bars" in etc.problem()


def test_a_base_timeframe_must_divide_an_hour(etc):
    etc.write("atrader.toml", FLEET.replace('"5s"', '"7s"'))
    etc.write("strategies/alpha.toml", STRATEGY.replace('"1m"', '"7s"'))
    assert "7s does not divide an hour" in etc.problem()


def test_more_strategies_than_workers_are_a_mistake(etc):
    etc.write("atrader.toml", "max_workers = 1\n" + FLEET)
    etc.write("strategies/beta.toml", STRATEGY.replace("magic = 1", "magic = 2"))
    assert "2 strategies are enabled, 1 may run" in etc.problem()


def test_an_instrument_of_ones_own_is_known_by_the_key_of_its_table(etc):
    own = "[instruments.'SPX/USD']\n" + TERMS
    etc.write("atrader.toml", FLEET.replace('"USD/JPY"', '"USD/JPY", "SPX/USD"') + own)
    etc.write("strategies/alpha.toml", STRATEGY.replace("EUR/USD", "SPX/USD"))
    assert load_installation(etc.root).fleet.instruments["SPX/USD"].price_tick == Decimal("0.01")


def test_prop_firm_limits_flatten_no_earlier_than_they_stop_opening():
    with pytest.raises(ValueError, match="must not be below usage_frac"):
        PropFirmLimits(usage_frac=Decimal("0.9"), flatten_frac=Decimal("0.8"))


def test_closed_periods_of_a_calendar_reach_every_instrument_on_it(etc):
    etc.write("atrader.toml", FLEET + "[calendars.fx]\nclosed = ['2026-12-24T14:00-05:00/2026-12-24T17:00-05:00']\n")
    fleet = load_installation(etc.root).fleet
    early_ns = parse_time("2026-12-24T20:00Z")
    assert not fleet.calendar_of("EUR/USD").is_open(early_ns)
    assert fleet.calendar_of("EUR/USD") is fleet.calendar_of("USD/JPY")
    assert fleet.calendar_of("BTC/USD").is_open(early_ns)
    own = FLEET + '[instruments."EUR/USD"]\nprice_tick = 0.00001\npip = 0.0001\nunit_step = 1\nmin_units = 1\n'
    own += 'max_units = 100\nmargin_rate_frac = 0.1\ncalendar = "Europe/Helsinki@00:00 fx"\n'
    etc.write("atrader.toml", own + "[calendars.fx]\nclosed = ['2026-12-24T14:00-05:00/2026-12-24T17:00-05:00']\n")
    assert not load_installation(etc.root).fleet.calendar_of("EUR/USD").is_open(early_ns), (
        "a clock has the market's closed periods"
    )
    with pytest.raises(ConfigError, match="unknown instrument 'QQQ/ZZZ'"):
        fleet.calendar_of("QQQ/ZZZ")
