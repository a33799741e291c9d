"""From a configured name to a strategy."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.errors import ConfigError
from worker.loading import load_strategy, make_strategy
from worker.strategies import BUILT_IN, NEED_FILES
from worker.strategies.sma_cross import SmaCross


@pytest.mark.parametrize("name", sorted(BUILT_IN.keys() - NEED_FILES))
def test_every_built_in_strategy_loads_and_has_sensible_defaults(name: str, tmp_path: Path) -> None:
    strategy = make_strategy(load_strategy(name, tmp_path), {}, "x.toml")
    assert strategy.warmup_bars > 0


def test_a_file_in_the_installation_directory_loads(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(
        "from atrader.strategy import EventStrategy\nclass Mine(EventStrategy):\n    pass\n"
    )
    assert load_strategy("strategies/mine.py:Mine", tmp_path).__name__ == "Mine"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("sma-croos", "neither built in .* - did you mean 'sma-cross'"),
        ("no.such.module:Thing", "cannot be imported: .*; a file of the installation is named as 'strategies/file.py:"),
        ("strategies/none.py:Thing", "there is no file /.*/strategies/none.py"),
        ("worker.strategies.sma_cross:Nothing", "is no SignalStrategy"),
        ("json:JSONDecoder", "is no SignalStrategy"),
    ],
)
def test_a_wrong_reference_is_a_configuration_error_that_says_why(reference: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        load_strategy(reference, tmp_path)


def test_a_wrong_parameter_names_file_and_key() -> None:
    with pytest.raises(ConfigError, match=r"etc/strategies/a\.toml: parameters\.fats"):
        make_strategy(SmaCross, {"fats": 3}, "etc/strategies/a.toml")
