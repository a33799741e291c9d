"""Writes a working configuration for `atrader-manager init`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from atrader.configuration.home import Home
from atrader.errors import ConfigError

TemplateKind = Literal["demo", "replay", "empty"]


def write_template(directory: Path, kind: TemplateKind = "demo") -> list[Path]:
    """Write the files of a template below ``directory/etc``.

    Parameters
    ----------
    directory : Path
        The installation directory; made when it is missing.
    kind : {"demo", "replay", "empty"}
        A synthetic market that trades at once, a replay of USD/JPY minute bars, or a fleet without strategies.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigError
        When one of the files exists already (nothing is written then), or the directory cannot be written.
    """
    if kind not in get_args(TemplateKind):
        raise ConfigError(f"expected one of the templates {', '.join(get_args(TemplateKind))}, was {kind!r}")
    etc = Home(directory).etc
    texts = {etc / name: text for name, text in template_files(kind)}
    present = [str(path) for path in texts if path.exists()]
    if present:
        raise ConfigError(f"exists already, and is never overwritten: {', '.join(present)}")
    try:
        for folder in (etc / "accounts", etc / "strategies"):
            folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write the configuration: {error}") from error
    return list(texts)


def template_files(kind: TemplateKind) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield path below ``etc`` and text of each file of a template."""
    root = files("atrader.configuration").joinpath("template", kind)
    yield from _walk(root, PurePosixPath())


def _walk(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, below / entry.name)
        elif entry.name.endswith(".toml"):
            yield below / entry.name, entry.read_text(encoding="utf-8")
