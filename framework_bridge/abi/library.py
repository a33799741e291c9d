"""The framework library, loaded: its functions as methods, one at a time in this process."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from ctypes import byref, c_int
from pathlib import Path
from typing import Any, Final, NamedTuple

from atrader.errors import ConfigError, DeadlineExceeded
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import ReturnCode, require_success
from framework_bridge.abi.elf import require_loadable
from framework_bridge.abi.prototypes import FRAMEWORK, FRAMEWORK_REQUIRED, declare

CALLS: Final = threading.Lock()
"""Held around every call into either library: all their state belongs to the process, and two threads end it."""

SUPPORTED: Final = (4, 5)
"""Major and minor version whose interface this package describes."""

MAX_PATH_BYTES: Final = 255
_NAME_BYTES: Final = 64
_INIT_TRIES: Final = 50
_INIT_PAUSE_S: Final = 0.02


class Version(NamedTuple):
    """A version of a library."""

    major: int
    minor: int
    bugfix: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.bugfix}"


class ConversionSymbols(NamedTuple):
    """Symbols whose prices convert a symbol's currencies into the account's; empty where none is needed."""

    base: str
    quote: str


class FrameworkLibrary:
    """``libAsirikuyFrameworkAPI.so`` of a user.

    Loading runs code of the library in this process and cannot be undone: a process loads one library in its life.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigError
        When it is missing, for another machine, lacks functions, or has another version. Nothing of it was called
        then but its version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = load(path)
        lacking = declare(self._library, FRAMEWORK)
        if missing := [name for name in FRAMEWORK_REQUIRED if name in lacking]:
            raise ConfigError(f"library {path}: it is not the Asirikuy framework: it lacks {', '.join(missing)}")
        self.version = read_version(self._library.getFrameworkVersion)
        if self.version[:2] != SUPPORTED:
            known = ".".join(map(str, SUPPORTED))
            raise ConfigError(f"library {path}: version {self.version}; {known} is the one whose interface we know")
        self._run = self._library.c_runStrategy

    def init_instance(
        self,
        instance_id: int,
        config: Path,
        *,
        testing: bool = False,
        account_name: str = "",
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Start an instance, or start it again: its bars are forgotten and the next call reads all that are passed.

        May be repeated; each time the library loses some memory for good (48 bytes a bar it held).

        Parameters
        ----------
        instance_id : int
            0 to 2**31-1.
        config : Path
            ``AsirikuyConfig.xml``. The library reads the first one of the process and ignores any other.
        testing : bool
            Whether the instance's state is forgotten; otherwise it comes from ``<temp>/<id>.state``.
        account_name : str
            Begins the name of the library's log file.
        pause : callable, optional
            How to wait while another thread initialises, given seconds; `threading.Event().wait` by default.

        Raises
        ------
        ConfigError
            When the framework's files are wrong, their paths too long, or the process reads another file already.
        DeadlineExceeded
            When another thread's first initialisation took longer than a second.
        LibraryError
            At any other answer.
        """
        where = _path_bytes(config)
        self._require_same(config)
        wait = pause or threading.Event().wait
        arguments = (instance_id, int(testing), where, account_name.encode())
        for _ in range(_INIT_TRIES):
            with CALLS:
                returned = self._library.initInstanceC(*arguments)
            if returned != ReturnCode.WAIT_FOR_INIT:
                break
            wait(_INIT_PAUSE_S)
        else:
            raise DeadlineExceeded(f"instance {instance_id}: the library is still being initialised")
        require_success(returned, f"instance {instance_id} with {config}")
        _configurations[self.path.resolve()] = config.resolve()

    def _require_same(self, config: Path) -> None:
        read = _configurations.get(self.path.resolve(), config.resolve())
        if read != config.resolve():
            raise ConfigError(f"{config}: this process reads {read} already, and the library reads one only")

    def deinit_instance(self, instance_id: int) -> None:
        """End an instance: its bars are freed; its place among the 200 of the process is not."""
        with CALLS:
            self._library.deinitInstance(instance_id)

    def run(self, call: StrategyCall) -> int:
        """Run a strategy once.

        Blocks as long as the library likes: live, without a time server, for ever. A crash ends the process. The
        results hold what this call wrote and zeros; they say nothing unless 0 is returned.

        Parameters
        ----------
        call : StrategyCall
            All its arrays; the results in it are zeroed before.

        Returns
        -------
        int
            The code, mostly one of `ReturnCode`.

        Raises
        ------
        LibraryError
            When memory behind the results was written to.
        """
        call.results.clear()
        with CALLS:
            returned: int = self._run(*call.arguments())
        call.results.require_guard()
        return returned

    def normalize_symbol(self, symbol: str) -> str:
        """Return a symbol without prefix, separator and suffix.

        Raises
        ------
        ConfigError
            When the library does not know it.
        """
        buffer = ctypes.create_string_buffer(symbol.encode(), _NAME_BYTES)
        self._symbol_call("mql5_normalizeSymbol", symbol, buffer)
        return _text(buffer)

    def normalize_currency(self, currency: str) -> str:
        """Return a currency as the library understands it: one that it does not know becomes ``USD``."""
        buffer = ctypes.create_string_buffer(currency.encode(), _NAME_BYTES)
        self._symbol_call("mql5_normalizeCurrency", currency, buffer)
        return _text(buffer)

    def conversion_symbols(self, symbol: str, currency: str) -> ConversionSymbols:
        """Return the symbols that convert into an account's currency.

        Raises
        ------
        ConfigError
            When the library does not know the symbol.
        """
        name = ctypes.create_string_buffer(symbol.encode(), _NAME_BYTES)
        account = ctypes.create_string_buffer(currency.encode(), _NAME_BYTES)
        base, quote = ctypes.create_string_buffer(_NAME_BYTES), ctypes.create_string_buffer(_NAME_BYTES)
        self._symbol_call("mql5_getConversionSymbols", symbol, name, account, base, quote)
        return ConversionSymbols(_text(base), _text(quote))

    def _symbol_call(self, function: str, symbol: str, *buffers: Any) -> None:
        with CALLS:
            returned = getattr(self._library, function)(*buffers)
        require_success(returned, f"symbol {symbol}")


def load(path: Path) -> ctypes.CDLL:
    """Load a library with its names kept apart from those of others.

    Raises
    ------
    ConfigError
        When it is missing, for another machine, or cannot be linked.
    """
    require_loadable(path)
    try:
        return ctypes.CDLL(os.fspath(path.resolve()), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise ConfigError(f"library {path}: it cannot be loaded: {error}") from error


def read_version(function: Any) -> Version:
    """Ask a library for its version."""
    numbers = (c_int(-1), c_int(-1), c_int(-1))
    with CALLS:
        function(*map(byref, numbers))
    return Version(*(number.value for number in numbers))


def _text(buffer: ctypes.Array[ctypes.c_char]) -> str:
    return buffer.value.decode("ascii", "replace").strip()  # libraries after November 2025 put newlines before it


def _path_bytes(path: Path) -> bytes:
    """Return a path as the library takes it: it copies them without looking at their length."""
    content = os.fsencode(path)
    if len(content) > MAX_PATH_BYTES:
        raise ConfigError(f"{path}: {len(content)} bytes, the library has room for {MAX_PATH_BYTES}")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file (framework_config)")
    return content


_configurations: Final[dict[Path, Path]] = {}  # by library: what it read in this process
