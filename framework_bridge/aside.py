"""Files of the library for what is not live: a backtest must not touch those of the instance that trades.

Initialised for a test, the library empties ``<temp>/<id>.state`` of the instance, whoever wrote it: the one that trades
under the same number would run the bar that forms again after its next start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from atrader.errors import ConfigError
from framework_bridge.legacy.framework_xml import CONFIG_FOLDER, parse_framework_xml
from framework_bridge.legacy.old_text import decode

NAME: Final = "AsirikuyConfig.xml"


def temp_of(folder: Path) -> Path:
    """Return where its temporary files are."""
    return folder / "tmp"


def write_aside(framework_config: Path, root: Path, folder: Path) -> Path:
    """Write the same configuration with folders of its own, all absolute; return the file.

    Parameters
    ----------
    framework_config : Path
        The one of the instance; its clocks stay where they are.
    root : Path
        What relative paths in it are relative to.
    folder : Path
        Which is there; file, temporary files and log go into it.

    Raises
    ------
    ConfigError
        When a path becomes too long for the library.
    """
    xml = parse_framework_xml(decode(framework_config.read_bytes()), str(framework_config))
    temp, log = temp_of(folder), folder / "log"
    for one in (temp, log):
        one.mkdir(exist_ok=True)
    text = xml.with_paths(temp=str(temp), config=str(root / xml.values[CONFIG_FOLDER]), log=str(log)).text()
    if wrong := parse_framework_xml(text, str(framework_config)).findings:
        raise ConfigError("\n".join(map(str, wrong)))
    aside = folder / NAME
    aside.write_text(text, encoding="utf-8")
    return aside
