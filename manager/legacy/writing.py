"""Writes the files of an import: those of users are never overwritten, those of an earlier import are kept up to date.

What an import wrote is remembered by hash (``etc/asirikuy/imported.json``): a file that is still as it was written is
the import's, one that somebody changed is theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from atrader.configuration.home import Home
from atrader.configuration.templates import TemplateKind, template_files
from atrader.errors import ConfigError, StoreError
from framework_bridge.abi.internals import read_state

MANIFEST: Final = "etc/asirikuy/imported.json"
INCOMPLETE: Final = ".incomplete"
"""Ending of the file of a strategy that cannot run yet; the loader passes it over."""

State = Literal["new", "unchanged", "updated", "removed", "kept"]


def incomplete_lines(root: Path) -> list[str]:
    """Say which strategies of an installation wait to be completed by a person; they are read by nothing."""
    found = sorted((root / "etc" / "strategies").glob(f"*.toml{INCOMPLETE}"))
    text = "is not run: mend what it says, and rename it to"
    return [f"etc/strategies/{path.name} {text} {path.name.removesuffix(INCOMPLETE)}" for path in found]


class Written(NamedTuple):
    """One file, and what becomes of it: ``kept`` is one that somebody changed."""

    path: str
    state: State


class Manifest(NamedTuple):
    """What was there before an import.

    Attributes
    ----------
    sources : tuple of str
        Old installations of earlier imports.
    hashes : Mapping of str to str
        What these wrote, by path.
    sample : tuple of str
        Paths of what ``atrader-manager init`` wrote, before the first import; it makes way.
    """

    sources: tuple[str, ...]
    hashes: Mapping[str, str]
    sample: tuple[str, ...] = ()


def read_manifest(root: Path) -> Manifest:
    """Read what earlier imports into an installation wrote.

    Raises
    ------
    ConfigError
        When the file is damaged.
    """
    path = root / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(tuple(map(str, found["sources"])), {str(k): str(v) for k, v in found["files"].items()})
    except FileNotFoundError:
        return Manifest((), {}, _untouched_sample(Home(root)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error!r}); without it every file there counts as yours") from error


def _untouched_sample(home: Home) -> tuple[str, ...]:
    """Return the files of ``init``: none as soon as somebody changed or added one, or the fleet was started."""
    there = {path.relative_to(home.root).as_posix(): _hash_of(path) for path in sorted(home.etc.rglob("*.toml"))}
    if not (home.data / "journal").exists():
        for kind in get_args(TemplateKind):
            sample = {f"etc/{name}": _hash(text.encode()) for name, text in template_files(kind)}
            if there.items() <= sample.items():
                return tuple(there)
    return ()


def check_sources(manifest: Manifest, sources: Sequence[str], root: Path) -> None:
    """Refuse an import that leaves out an old installation that an earlier one had: its instruments would be lost.

    Raises
    ------
    ConfigError
        Naming the ones that are left out.
    """
    missing = [source for source in manifest.sources if source not in sources]
    if missing:
        raise ConfigError(
            f"{root} was made of {', '.join(missing)} as well: name all old configurations, or another --out"
        )


def states(root: Path, files: Mapping[str, str], manifest: Manifest) -> list[Written]:
    """Return what would become of each file."""
    found = [Written(path, _state(root, path, text, manifest)) for path, text in files.items()]
    for path in manifest.hashes:
        # A strategy is complete or not: the other file of the two is over, unless somebody works on it.
        other = path.removesuffix(INCOMPLETE) if path.endswith(INCOMPLETE) else f"{path}{INCOMPLETE}"
        if path not in files and other in files and _hash_of(root / path) == manifest.hashes[path]:
            found.append(Written(path, "removed"))
    return found + [Written(path, "removed") for path in manifest.sample if path not in files]


def write(
    root: Path, files: Mapping[str, str], folders: Sequence[str], manifest: Manifest, sources: Sequence[str]
) -> None:
    """Bring the files of an installation up to date, each whole or not at all; may be repeated.

    Raises
    ------
    ConfigError
        When something cannot be written; what was written stays, and the next import goes on.
    """
    hashes = dict(manifest.hashes)
    try:
        for folder in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for path, state in states(root, files, manifest):
            if state == "removed":
                (root / path).unlink()
                hashes.pop(path, None)
            elif state != "kept":
                if state != "unchanged":
                    _replace(root / path, files[path].encode())
                hashes[path] = _hash(files[path].encode())
        text = json.dumps({"sources": list(sources), "files": dict(sorted(hashes.items()))}, indent=2) + "\n"
        if _hash_of(root / MANIFEST) != _hash(text.encode()):
            _replace(root / MANIFEST, text.encode())
    except OSError as error:
        raise ConfigError(f"cannot write into {root}: {error}") from error


def carry_states(root: Path, contents: Mapping[str, bytes], *, dry_run: bool) -> list[Written]:
    """Bring over what the C library remembers; of two states the one of the later run counts. May be repeated.

    Returns
    -------
    list of Written
        What becomes of each; ``kept`` is one with which the library went on here.

    Raises
    ------
    ConfigError
        When one cannot be written.
    """
    found = []
    for path, content in contents.items():
        state = _state_of_library(root / path, content)
        found.append(Written(path, state))
        if state in ("new", "updated") and not dry_run:
            try:
                _replace(root / path, content)
            except OSError as error:
                raise ConfigError(f"cannot write into {root}: {error}") from error
    return found


def _state_of_library(path: Path, content: bytes) -> State:
    try:
        there = path.read_bytes()
        ran_s = read_state(there, str(path)).last_run_time_s
    except FileNotFoundError:
        return "new"
    except StoreError:
        return "updated"  # the library could not use it
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    if there == content:
        return "unchanged"
    return "updated" if ran_s < read_state(content, "the old one").last_run_time_s else "kept"


def _state(root: Path, path: str, text: str, manifest: Manifest) -> State:
    there = _hash_of(root / path)
    if there is None:
        return "new"
    if there == _hash(text.encode()):
        return "unchanged"
    return "updated" if there == manifest.hashes.get(path) or path in manifest.sample else "kept"


def _hash_of(path: Path) -> str | None:
    try:
        return _hash(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
