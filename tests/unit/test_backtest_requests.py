"""What the words of a command line mean: names and magic numbers of strategies that no file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.configuration.loader import load_installation
from atrader.configuration.templates import write_template
from atrader.errors import ConfigError
from atrader.strategy import Parameters
from manager.backtests.request import overrides_of, requests_of
from research.optimisation.reading import read_space


def names_of(root: Path, *whats: str) -> list[tuple[str, int]]:
    overrides = overrides_of("EUR/USD", "5m", ())
    (request,) = requests_of(whats, load_installation(root), overrides, period=(None, None), quotes=None, apart=False)
    return [(one.name, one.magic) for one in request.instances]


def test_a_strategy_is_called_by_its_own_name_and_by_a_number_only_when_that_is_taken(tmp_path: Path) -> None:
    write_template(tmp_path, "empty")
    found = names_of(tmp_path, "trend", "bracket", "bracket", "strategies/my_rule.py:MyRule", "bracket")
    assert found == [("trend", 1), ("bracket", 2), ("bracket-2", 3), ("myrule", 4), ("bracket-3", 5)]


def test_a_class_of_any_name_gets_a_name_that_instances_may_have(tmp_path: Path) -> None:
    write_template(tmp_path, "empty")
    long = "x" * 60
    found = names_of(tmp_path, f"a.py:{long}", f"b.py:{long}", "a.py:_Own_Rule_", "a.py:_")
    assert [name for name, _ in found] == ["x" * 36, "x" * 36 + "-2", "own-rule", "strategy"]


@pytest.mark.parametrize("what", ["sma-cross", "strategies/mine.py:Mine"])
def test_a_strategy_that_is_told_half_of_what_it_runs_on_is_asked_for_the_other_half(tmp_path: Path, what: str) -> None:
    write_template(tmp_path, "empty")
    for instrument, timeframe, missing in (
        ("EUR/USD", None, "--timeframe 1h"),
        (None, "1h", "--instrument EUR/USD"),
        (None, None, "--instrument EUR/USD --timeframe 1h"),
    ):
        with pytest.raises(ConfigError, match=f"^{what}: say what it is to run on, such as {missing}$"):
            requests_of(
                [what], load_installation(tmp_path), overrides_of(instrument, timeframe, ()),
                period=(None, None), quotes=None, apart=False,
            )  # fmt: skip


def test_with_several_accounts_a_strategy_that_no_file_names_has_to_say_whose_limits_count(tmp_path: Path) -> None:
    write_template(tmp_path, "empty")
    accounts = tmp_path / "etc" / "accounts"
    (accounts / "crypto.toml").write_text((accounts / "paper.toml").read_text())
    with pytest.raises(ConfigError, match=r"trend: which account\? There are crypto, paper: --account crypto"):
        names_of(tmp_path, "trend")
    overrides = overrides_of("EUR/USD", "5m", (), account="paper")
    (request,) = requests_of(
        ["trend"], load_installation(tmp_path), overrides, period=(None, None), quotes=None, apart=False
    )
    assert request.account.name == "paper"


def test_a_parameter_that_is_given_twice_is_refused_and_not_taken_once() -> None:
    with pytest.raises(ConfigError, match="--param fast: given twice, as '10' and as '20'"):
        overrides_of("EUR/USD", "5m", ("fast=10", "slow=50", "fast = 20"))


@pytest.mark.parametrize("balance", ["1e400", "1e16", "0", "-1", "nan", "inf"])
def test_a_balance_that_floats_cannot_count_to_the_cent_is_refused(tmp_path: Path, balance: str) -> None:
    write_template(tmp_path, "empty")
    overrides = overrides_of("EUR/USD", "5m", (), balance=balance)
    with pytest.raises(ConfigError, match=r"--balance .*: expected a positive amount, at most 1e12"):
        requests_of(["trend"], load_installation(tmp_path), overrides, period=(None, None), quotes=None, apart=False)


def test_a_strategy_without_parameters_is_told_to_have_none() -> None:
    with pytest.raises(ConfigError, match="the strategy has no parameters"):
        read_space(Parameters, {}, {}, ())
