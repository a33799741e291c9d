"""Finds the files of an old installation and reads them; nothing there is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Final, NamedTuple

from atrader.errors import ConfigError
from framework_bridge.legacy.broker_clocks import parse_old_clocks
from framework_bridge.legacy.conversion import LIBRARY, OldFiles
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.framework_xml import TEMP, parse_framework_xml
from framework_bridge.legacy.monitor import parse_monitor
from framework_bridge.legacy.old_config import OldTrader, parse_old_config
from framework_bridge.legacy.old_text import decode
from framework_bridge.legacy.presets import Preset, parse_preset
from framework_bridge.legacy.virtual_trades import OldTrades, parse_virtual_trades

_CONFIG: Final = "atrader.config"
_OPEN, _CLOSED = "_openOrders.json", "_orderHistory.json"
_LONGEST_FILE: Final = 64_000_000  # bytes; what people and the old trader wrote is far below


class OldInstallation(NamedTuple):
    """An old installation on this disk.

    Attributes
    ----------
    path : Path
        Its ``atrader.config``, absolute.
    files : OldFiles
        What was read.
    bars : tuple of Path
        Its bar history.
    findings : tuple of Finding
        Files that could not be read.
    """

    path: Path
    files: OldFiles
    bars: tuple[Path, ...]
    findings: tuple[Finding, ...]


def read_installation(path: Path, monitor: Path | None, zone: str) -> OldInstallation:
    """Read an old installation.

    Parameters
    ----------
    path : Path
        Its configuration file, or the folder that has it.
    monitor : Path, optional
        Configuration file of the monitor.
    zone : str
        Time zone of times of virtual trades that are text.

    Raises
    ------
    ConfigError
        When a file that was named is not there or cannot be read.
    """
    config = _config_of(path)
    return _Reading(config, zone).read(monitor)


def _config_of(path: Path) -> Path:
    places = (path, path / _CONFIG, path / "config" / _CONFIG)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(f"{path}: there is no such file, and no {_CONFIG} in it or in its folder config")
    return found.resolve()


class _Reading:
    def __init__(self, config: Path, zone: str) -> None:
        self._config = config
        self._root = config.parent.parent if config.parent.name.lower() == "config" else config.parent
        self._zone = zone
        self._findings: list[Finding] = []

    def read(self, monitor: Path | None) -> OldInstallation:
        trader = parse_old_config(_text_of(self._config), str(self._config))
        clocks, xml = self._beside("broker-tz.csv"), self._beside("AsirikuyConfig.xml")
        library = self._find(self._root, LIBRARY) or self._find(self._config.parent, LIBRARY)
        files = OldFiles(
            trader,
            dict(self._presets(trader)),
            None if clocks is None else parse_old_clocks(clocks[1], str(clocks[0])),
            None if xml is None else parse_framework_xml(xml[1], str(xml[0])),
            None if monitor is None else parse_monitor(_text_of(monitor), str(monitor)),
            None if library is None else str(library),
            dict(self._virtual_trades(_OPEN)),
            dict(self._virtual_trades(_CLOSED)),
        )
        files = replace(files, states=dict(self._states(files)))
        bars = self._matching(self._root / "history", ".csv")
        return OldInstallation(self._config, files, tuple(bars), tuple(self._findings))

    def _beside(self, name: str) -> tuple[Path, str] | None:
        for folder in (self._config.parent, self._root / "config", self._root):
            found = self._find(folder, name)
            if found is not None:
                text = self._try_text(found)
                return None if text is None else (found, text)
        return None

    def _presets(self, trader: OldTrader) -> Iterator[tuple[str, tuple[Preset, str]]]:
        for name in {one.set_file for one in trader.strategies if one.set_file is not None}:
            found = self._preset_file(name)
            text = None if found is None else self._try_text(found)
            if found is not None and text is not None:
                yield name, (parse_preset(text, str(found)), text)

    def _preset_file(self, name: str) -> Path | None:
        """Find a preset: in ``sets``, or where its path says; old ones may name a drive of Windows."""
        windows = PureWindowsPath(name)
        folders = [self._root / "sets", self._root, self._config.parent]
        if not windows.drive and not windows.root:
            folders = [self._root.joinpath(*windows.parts[:-1]), folders[0].joinpath(*windows.parts[:-1]), *folders]
        for folder in folders:
            found = self._find(folder, windows.name) or self._find(folder, f"{windows.name}.set")
            if found is not None:
                return found
        return None

    def _virtual_trades(self, ending: str) -> Iterator[tuple[str, OldTrades]]:
        for path in self._matching(self._root / "data", ending):
            text = self._try_text(path)
            if text is not None:
                closed = ending == _CLOSED
                yield path.name[: -len(ending)], parse_virtual_trades(text, str(path), self._zone, closed=closed)

    def _states(self, old: OldFiles) -> Iterator[tuple[int, tuple[str, bytes]]]:
        """Yield what the library remembers of each instance: in the folder that the XML names, or in the usual one."""
        temp = "./tmp" if old.xml is None else old.xml.values[TEMP]
        windows = PureWindowsPath(temp)
        named = Path(temp) if windows.drive or windows.root else self._root.joinpath(*windows.parts)
        for preset, _ in old.presets.values():
            name = f"{preset.instance_id}.state"
            found = self._find(named, name) or self._find(self._root / "tmp", name)
            if preset.instance_id is None or found is None:
                continue
            try:
                yield preset.instance_id, (str(found), found.read_bytes())
            except OSError as error:
                text = f"cannot be read: {error.strerror or error}"
                self._findings.append(Finding(Kind.PROBLEM, str(found), 0, "", text, "make it readable"))

    def _try_text(self, path: Path) -> str | None:
        try:
            return _text_of(path)
        except ConfigError as error:
            self._findings.append(Finding(Kind.PROBLEM, str(path), 0, "", error.message, "make it readable"))
            return None

    def _find(self, folder: Path, name: str) -> Path | None:
        """Find a file in a folder, in upper or lower case: it was written under Windows."""
        return next((path for path in _files(folder) if path.name.lower() == name.lower()), None)

    def _matching(self, folder: Path, ending: str) -> list[Path]:
        return [path for path in _files(folder) if path.name.lower().endswith(ending.lower())]


def _files(folder: Path) -> Iterable[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:  # not there, or not ours to read: what is missed is reported by who needs it
        return ()


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise ConfigError(f"{path}: is larger than {_LONGEST_FILE} bytes")
        return decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
