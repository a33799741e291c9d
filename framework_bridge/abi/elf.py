"""Whether a file is a shared library that this process can load, found out before loading runs code of it."""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path
from typing import Final

from atrader.errors import ConfigError

_HEADER: Final = struct.Struct("<4sBB10xHH")  # magic, class, byte order, type, machine
_SECTIONS: Final = struct.Struct("<40xQ10xHH")  # where their table begins, bytes of a row, rows: it ends the file
_MAGIC: Final = b"\x7fELF"
_BITS: Final = {1: "32-bit", 2: "64-bit"}
_SHARED: Final = 3
_MACHINES: Final = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_OTHERS: Final = (
    (b"MZ", "a Windows library"),
    (b"\xcf\xfa\xed\xfe", "a macOS library"),
    (b"\xca\xfe\xba\xbe", "a macOS library"),
    (b"!<arch>", "a static library"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself"),
)


def require_loadable(path: Path) -> None:
    """Do nothing when a file is a whole shared library for the machine and the word size of this process.

    Raises
    ------
    ConfigError
        Naming the file and what it is instead.
    """
    try:
        with path.open("rb") as file:
            start, size = file.read(64), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ConfigError(f"library {path}: cannot be read: {error.strerror}") from error
    if not start.startswith(_MAGIC) or len(start) < _HEADER.size:
        what = next((text for magic, text in _OTHERS if start.startswith(magic)), "no shared library")
        raise ConfigError(f"library {path}: it is {what}; a Linux library (.so) for {platform.machine()} is needed")
    _, bits, order, kind, machine = _HEADER.unpack_from(start)
    found = f"{_BITS.get(bits, '?')} {_MACHINES.get(machine, f'machine {machine}')}"
    wanted = f"64-bit {platform.machine()}"
    if order != 1 or found != wanted:
        raise ConfigError(f"library {path}: it is built for {found}, this process is {wanted}")
    if kind != _SHARED:
        raise ConfigError(f"library {path}: it is no shared library (ELF type {kind}, expected {_SHARED})")
    table, row, rows = _SECTIONS.unpack_from(start.ljust(_SECTIONS.size, b"\0"))
    if size < table + row * rows:
        raise ConfigError(f"library {path}: it is not whole: {size} bytes of {table + row * rows}; copy it again")
