"""Backtests and replays with the C library leave the files of the instance that trades alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.errors import ConfigError
from framework_bridge.aside import write_aside
from tests.support.asirikuy import framework_files
from tests.support.asirikuy_fleet import time_server
from tests.support.asirikuy_stage import MAGIC, Stage

PRESET = "ADDITIONAL_PARAM_3=200\nADDITIONAL_PARAM_26=1\nADDITIONAL_PARAM_27=-1\nADDITIONAL_PARAM_28=1\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "interface-known"}


def test_a_backtest_keeps_the_state_of_the_instance_that_trades_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with time_server() as server:
        stage = Stage(tmp_path, PRESET, server)
        assert len(stage.tick(1)) == 1
        stage.close()
    before = contents(stage.temp)
    assert any(before[f"{MAGIC}.state"]), "the library noted its run"
    stage.server = None
    stage.life()
    assert len(stage.bar()) == 1
    folder = stage.strategy._session._config.parent
    assert (folder / "tmp" / f"{MAGIC}.state").exists()
    stage.close()
    assert contents(stage.temp) == before
    assert not folder.exists()


def test_a_folder_whose_paths_are_too_long_for_the_library_is_refused(tmp_path: Path) -> None:
    config = framework_files(tmp_path / "asirikuy")
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    folder.mkdir(parents=True)
    with pytest.raises(ConfigError, match="longer than 255 bytes"):
        write_aside(config, tmp_path, folder)
