"""Folders that appear whole or not at all: they are written beside their place, and renamed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from atrader.errors import StoreError
from atrader.runtime.whole_file import sync

_MANY: Final = 10_000  # folders of one name
_PART: Final = ".part"
_LONGEST: Final = 80


class Draft(NamedTuple):
    """A folder that is being written.

    Attributes
    ----------
    place : Path
        Its name when it is done; an empty folder until then, so that nobody else takes it.
    folder : Path
        Where it is written.
    """

    place: Path
    folder: Path


@contextmanager
def new_folder(below: Path, name: str) -> Iterator[Draft]:
    """Give a folder to write, with the first free number; it gets its name when the block ends, and never if it fails.

    What is left of programs that died while they wrote one is removed.

    Parameters
    ----------
    below : Path
        Where; made when it is not there.

    Raises
    ------
    StoreError
        When no number is left.
    OSError
        When it cannot be made.
    """
    below.mkdir(parents=True, exist_ok=True)
    remove_left(below)
    draft, descriptor = _made(below, name[:_LONGEST])
    try:
        yield draft
        draft.folder.rename(draft.place)  # in place of the empty one
    except BaseException:
        shutil.rmtree(draft.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            draft.place.rmdir()
        raise
    finally:
        os.close(descriptor)
    sync(below)


def remove_left(below: Path) -> list[str]:
    """Remove what is left of folders whose programs died while they wrote them; return their names."""
    removed = []
    for folder in below.glob(f".*{_PART}"):
        try:
            descriptor = _locked(folder)
        except OSError:  # being written, or not ours to touch
            continue
        try:
            shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # it is not empty, or gone
                _place_of(folder).rmdir()
            removed.append(_place_of(folder).name)
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return removed


def is_left(place: Path) -> bool:
    """Tell whether a folder is one that was begun and not finished."""
    return _part_of(place).is_dir()


def _made(below: Path, name: str) -> tuple[Draft, int]:
    for number in range(1, _MANY):
        place = below / f"{name}-{number:04d}"
        folder = _part_of(place)
        if place.exists():
            continue
        try:
            folder.mkdir()
            descriptor = _locked(folder)
        except (FileExistsError, FileNotFoundError, BlockingIOError):  # somebody else's, or taken for left behind
            continue
        try:
            place.mkdir()
        except FileExistsError:
            folder.rmdir()
            os.close(descriptor)
            continue
        return Draft(place, folder), descriptor
    raise StoreError(f"{below}: has {_MANY - 1:,} results called {name!r} already: move some away, or use --out")


def _locked(folder: Path) -> int:
    """Return a descriptor that holds the lock of a folder; the kernel drops it with its owner, however that dies.

    Raises
    ------
    OSError
        When somebody holds it, or the folder is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino != folder.stat().st_ino:
            raise FileNotFoundError(folder)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _part_of(place: Path) -> Path:
    return place.with_name(f".{place.name}{_PART}")


def _place_of(folder: Path) -> Path:
    return folder.with_name(folder.name[1 : -len(_PART)])
