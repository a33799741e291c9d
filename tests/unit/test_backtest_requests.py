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


def test_a_strategy_without_parameters_is_told_to_have_none() -> None:
    with pytest.raises(ConfigError, match="the strategy has no parameters"):
        read_space(Parameters, {}, {}, ())
