"""Configuration that pages show can be used as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from atrader.configuration.instance import InstanceConfig
from atrader.configuration.loader import load_installation
from tests.support.doc_commands import ROOT
from worker.loading import load_strategy, make_strategy

_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def test_the_sources_of_the_page_on_bars_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _BLOCK.findall((ROOT / "docs/bars.md").read_text(encoding="utf-8"))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/atrader.toml").write_text(first + second, encoding="utf-8")
    assert tomllib.loads(first + second)
    fleet = load_installation(tmp_path).fleet
    source = fleet.sources["backend"]
    assert source.auth.login is not None
    monkeypatch.setenv("BACKEND_PASSWORD", "hush")
    assert source.auth.login.password.resolve() == "hush"
    assert source.screener is not None
    assert fleet.data.backfill.history == 90 * 86400


def test_the_account_file_of_the_page_on_oanda_is_valid(tmp_path: Path) -> None:
    (account,) = _BLOCK.findall((ROOT / "docs/oanda.md").read_text(encoding="utf-8"))
    (tmp_path / "etc/accounts").mkdir(parents=True)
    (tmp_path / "etc/atrader.toml").touch()
    (tmp_path / "etc/accounts/mine.toml").write_text(account, encoding="utf-8")
    settings = load_installation(tmp_path).accounts["mine"].oanda
    assert settings is not None
    assert settings.rest_base.startswith("https://api-fxpractice.")


@pytest.mark.parametrize("page", sorted((ROOT / "docs/strategies").glob("*.md")), ids=lambda page: page.stem)
def test_the_strategy_files_of_the_pages_on_strategies_are_valid(page: Path) -> None:
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        config = InstanceConfig.model_validate({"name": page.stem.lower(), **tomllib.loads(block)})
        make_strategy(load_strategy(config.strategy, ROOT), config.parameters, page.name)
