"""What ``doctor`` looks at: each examination is a small function that says what it found and what to do."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import AtraderError
from manager.doctor_accounts import examine_accounts
from manager.doctor_secrets import examine_secrets
from manager.finding import Finding
from manager.lock import owner_of
from manager.unheld import unheld

_WAL_RESET_FIXED = (3, 51, 3)
_FREE_BYTES = 1_000_000_000
_OPEN_FILES = 1024
_RESTORE = "restore it from a backup before you start"


def examine(home: Home, *, ask_brokers: bool) -> list[Finding]:
    """Look at everything; an examination that fails is a finding itself.

    With ``ask_brokers`` the brokers of all enabled accounts are asked as well, which may take 30 s.
    """
    found = [finding for look in _EXAMINATIONS for finding in look(home)]
    try:
        installation = load_installation(home.root)
    except AtraderError as error:
        return [*found, Finding("error", "configuration", str(error), "'atrader-manager check' names file and key")]
    text = f"accounts: {len(installation.accounts)}, instances: {len(installation.instances)}"
    found += [Finding("ok", "configuration", text), *examine_secrets(installation), *_unheld(home, installation)]
    return [*found, *examine_accounts(installation, SystemClock())] if ask_brokers else found


def _python(home: Home) -> Iterator[Finding]:
    yield Finding("ok", "python", f"{sys.version.split()[0]} at {sys.executable}")


def _sqlite(home: Home) -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < _WAL_RESET_FIXED:
        text = f"{sqlite3.sqlite_version} has the WAL-reset defect fixed in 3.51.3; one writer per file avoids it"
        remedy = "do not open the databases for writing with other tools while the fleet runs"
        yield Finding("warning", "sqlite", text, remedy)
    else:
        yield Finding("ok", "sqlite", sqlite3.sqlite_version)


def _clock(home: Home) -> Iterator[Finding]:
    """Ask the kernel whether something keeps the clock right (adjtimex(2))."""
    import ctypes

    state = ctypes.CDLL(None, use_errno=True).ntp_adjtime
    buffer = ctypes.create_string_buffer(512)  # struct timex is 208 bytes; zeroed = read only
    if state(buffer) == 5:  # TIME_ERROR: unsynchronised
        yield Finding("warning", "clock", "not synchronised; prices would seem too old", "run an NTP client")
    else:
        yield Finding("ok", "clock", "kept right by the kernel's NTP discipline")


def _disk(home: Home) -> Iterator[Finding]:
    place = home.data if home.data.exists() else home.root if home.root.exists() else Path("/")
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {place}"
    if free > _FREE_BYTES:
        yield Finding("ok", "disk", text)
    else:
        yield Finding("error", "disk", text, "make room: the journals need it before anything is sent")


def _open_files(home: Home) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _OPEN_FILES:
        yield Finding("warning", "open files", f"limit {soft} (hard {hard})", "raise it with 'ulimit -n 4096'")
    else:
        yield Finding("ok", "open files", f"limit {soft}")


def _run_directory(home: Home) -> Iterator[Finding]:
    if not home.run.exists():
        yield Finding("ok", "run directory", "not there yet; 'start' makes it")
    elif home.run.stat().st_mode & 0o077:
        yield Finding("error", "run directory", f"{home.run} is open to others", f"chmod 700 {home.run}")
    else:
        yield Finding("ok", "run directory", f"{home.run}, mode 0700")


def _manager(home: Home) -> Iterator[Finding]:
    owner = owner_of(home)
    yield Finding("ok", "manager", "not running" if owner is None else f"running: {owner}")


def _databases(home: Home) -> Iterator[Finding]:
    for path in sorted(home.data.glob("**/*.db")):
        name = str(path.relative_to(home.root))
        if not os.access(path, os.R_OK | os.W_OK):
            yield Finding("error", name, "cannot be read and written by this user", "chown it to who runs the fleet")
            continue
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            try:
                answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            finally:
                connection.close()
        except sqlite3.Error as error:
            yield Finding("error", name, f"cannot be read: {error}", _RESTORE)
            continue
        if answer == "ok":
            yield Finding("ok", name, f"sound, {path.stat().st_size / 1e6:.2f} MB")
        else:
            yield Finding("error", name, f"damaged: {answer}", _RESTORE)


def _unheld(home: Home, installation: Installation) -> Iterator[Finding]:
    for account, left in unheld(home, installation):
        remedy = f"put etc/accounts/{account}.toml, or who traded on it, back to close them or hand them on"
        yield Finding("warning", f"account {account}", f"no process runs it: {left}", remedy)


_EXAMINATIONS: tuple[Callable[[Home], Iterator[Finding]], ...] = (
    _python,
    _sqlite,
    _clock,
    _disk,
    _open_files,
    _run_directory,
    _manager,
    _databases,
)
