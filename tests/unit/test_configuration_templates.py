"""The files that init writes work, and say what each key means."""

from __future__ import annotations

from typing import get_args

import pytest

from atrader.configuration.loader import load_installation
from atrader.configuration.templates import TemplateKind, template_files, write_template
from atrader.errors import ConfigError
from worker.loading import load_strategy
from worker.strategies import BUILT_IN

KINDS = get_args(TemplateKind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_a_valid_configuration(tmp_path, kind):
    written = write_template(tmp_path / "new", kind)
    assert all(path.is_file() for path in written)
    installation = load_installation(tmp_path / "new")
    for instance in installation.instances.values():
        assert instance.strategy in BUILT_IN
        load_strategy(instance.strategy, tmp_path).Parameters(**instance.parameters)


def test_the_demonstration_runs_three_strategies_of_two_kinds_on_three_instruments(tmp_path):
    write_template(tmp_path)
    instances = load_installation(tmp_path).instances.values()
    assert len({instance.instrument for instance in instances}) == 3
    assert {instance.strategy for instance in instances} == {"sma-cross", "bracket"}


def test_the_demonstration_can_decide_within_half_a_minute(tmp_path):
    write_template(tmp_path)
    for instance in load_installation(tmp_path).instances.values():
        kind = load_strategy(instance.strategy, tmp_path)
        assert instance.timeframe == "1s"
        assert kind(kind.Parameters(**instance.parameters)).warmup_bars <= 30


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_template_has_a_comment(kind):
    for name, text in template_files(kind):
        for line in text.splitlines():
            assert not line.strip() or line.startswith("[") or "# " in line, f"{name}: {line}"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path, kind):
    path = tmp_path / "etc" / "accounts" / "paper.toml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(ConfigError, match=r"accounts/paper\.toml"):
        write_template(tmp_path, kind)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]
    assert path.read_text() == "mine"


def test_a_directory_that_cannot_be_made_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_template(tmp_path / "file")
