"""Presets of the old front ends, in every shape they come in."""

from __future__ import annotations

import pytest

from atrader.errors import ConfigError
from framework_bridge.legacy.findings import Kind
from framework_bridge.legacy.old_text import decode
from framework_bridge.legacy.presets import Range, parse_preset, read_preset

pytestmark = pytest.mark.unit

_WHOLE = """; a comment
SECTION_1=== Framework ==
OPERATIONAL_MODE=1
OPERATIONAL_MODE,F=0
OPERATIONAL_MODE,1=0
STRATEGY_INSTANCE_ID = 2001
STRATEGY_TIMEFRAME     =60
SECTION_2=
ACCOUNT_RISK_PERCENT=1.50000000
ACCOUNT_RISK_PERCENT,F=1
ACCOUNT_RISK_PERCENT,1=0.5
ACCOUNT_RISK_PERCENT,2=0.25
ACCOUNT_RISK_PERCENT,3=3
MAX_SPREAD_PIPS=4
MAX_OPEN_ORDERS=199
DISABLE_COMPOUNDING=false
RUN_EVERY_TICK=True
FRAMEWORK_CONFIG=./config/AsirikuyConfig.xml
UI_WEEKLY_ATR=1
CUSTOM_ORDER_COMMENT=a=b, c
SECTION_3=
AUTOBBS_TREND_MODE=18
AUTOBBS_ONE_SIDE=-1
"""


def test_values_stand_in_the_settings_where_the_library_reads_them() -> None:
    settings = parse_preset(_WHOLE, "one.set").settings
    assert settings == {
        50: 1.0,
        51: 2001.0,
        53: 60.0,
        57: 1.5,
        45: 199.0,
        47: 0.0,
        43: 1.0,
        2: 18.0,
        11: -1.0,
    }


def test_the_spread_limit_stays_in_pips_since_a_preset_does_not_know_the_pip() -> None:
    preset = parse_preset(_WHOLE, "one.set")
    assert preset.max_spread_pips == 4.0
    assert parse_preset("OPERATIONAL_MODE=1", "none.set").max_spread_pips is None


def test_keys_of_the_front_end_are_kept_as_text() -> None:
    assert parse_preset(_WHOLE, "one.set").front_end == {
        "FRAMEWORK_CONFIG": "./config/AsirikuyConfig.xml",
        "UI_WEEKLY_ATR": "1",
        "CUSTOM_ORDER_COMMENT": "a=b, c",
    }


def test_lines_for_the_optimiser_become_ranges_and_never_values() -> None:
    preset = parse_preset(_WHOLE, "one.set")
    assert preset.ranges["ACCOUNT_RISK_PERCENT"] == Range(True, 0.5, 0.25, 3.0)
    assert preset.ranges["OPERATIONAL_MODE"].optimise is False
    assert preset.values["OPERATIONAL_MODE"] == 1.0
    assert not preset.findings


def test_an_unknown_key_is_reported_with_the_likely_name_and_is_never_fatal() -> None:
    preset = parse_preset("ACCOUNT_RISK_PERCENTS=3\n", "typo.set")
    (finding,) = preset.findings
    assert finding.kind is Kind.UNKNOWN
    assert "did you mean 'ACCOUNT_RISK_PERCENT'?" in str(finding)
    assert str(finding).startswith("typo.set:1: ACCOUNT_RISK_PERCENTS: ")
    assert preset.unknown == {"ACCOUNT_RISK_PERCENTS": "3"}
    assert not preset.problems


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "1,5", "1_000", "\u0661"])
def test_a_known_key_without_a_number_is_a_problem(value: str) -> None:
    preset = parse_preset(f"STRATEGY_TIMEFRAME=60\nACCOUNT_RISK_PERCENT={value}", "bad.set")
    assert [str(problem) for problem in preset.problems] == [
        f"bad.set:2: ACCOUNT_RISK_PERCENT: expected a number, was {value!r}; correct the preset",
    ]
    assert "ACCOUNT_RISK_PERCENT" not in preset.values


def test_of_a_repeated_key_the_last_line_counts_and_it_is_said() -> None:
    preset = parse_preset("MAX_OPEN_ORDERS=5\nmax_open_orders=7\n", "twice.set")
    assert preset.settings == {45: 7.0}
    assert preset.lines == {"MAX_OPEN_ORDERS": 2}
    assert [finding.kind for finding in preset.findings] == [Kind.CHANGED]


def test_keys_of_two_strategies_at_one_place_are_a_problem() -> None:
    (problem,) = parse_preset("AUTOBBS_ADJUSTPOINTS=1\nBBS_PERIOD=20\n", "mixed.set").problems
    assert "has the same place in the settings (0) as AUTOBBS_ADJUSTPOINTS in line 1" in problem.text


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("SELECTED_STRATEGY_ID=3", 0),
        ("DSL_EXIT_TYPE=2", 7),
        ("BBS_ADJUSTPOINTS=2", 2),
        ("DAILY_TREND=1", 0),
        ("RECORD_MODE=2", 0),
        ("AUTOBBS_MACD_LEVEL=1", 24),
        ("ADDITIONAL_PARAM_40=9", 39),
    ],
)
def test_names_of_older_and_other_strategies_are_known(line: str, place: int) -> None:
    assert list(parse_preset(line, "old.set").settings) == [place]


@pytest.mark.parametrize(
    ("text", "magic"),
    [("2001", 2001), ("0", 0), ("-1", None), ("1.5", None), ("2147483648", None)],
)
def test_the_instance_id_is_a_magic_number_only_if_the_library_can_hold_it(text: str, magic: int | None) -> None:
    assert parse_preset(f"STRATEGY_INSTANCE_ID={text}", "id.set").instance_id == magic


def test_a_line_without_an_equals_sign_is_a_problem_that_names_file_and_line() -> None:
    (problem,) = parse_preset("OPERATIONAL_MODE=1\nrubbish\n", "bad.set").problems
    assert str(problem) == "bad.set:2: expected KEY=value, was 'rubbish'; make it a comment with ;"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_windows_are_read(encoding: str, ending: str) -> None:
    text = decode(_WHOLE.replace("a comment", "für später").replace("\n", ending).encode(encoding))
    preset = parse_preset(text, "one.set")
    assert (preset.settings, preset.findings) == (parse_preset(_WHOLE, "one.set").settings, ())


def test_reading_for_trade_refuses_a_preset_with_a_problem(tmp_path) -> None:
    path = tmp_path / "bad.set"
    path.write_text("ACCOUNT_RISK_PERCENT=x\nUNHEARD=1\n")
    with pytest.raises(ConfigError, match=r"bad\.set:1: ACCOUNT_RISK_PERCENT"):
        read_preset(path)
    with pytest.raises(ConfigError, match="cannot read the preset"):
        read_preset(tmp_path / "none.set")
    path.write_text("UNHEARD=1\n")
    assert read_preset(path).unknown == {"UNHEARD": "1"}
