"""The old monitor's configuration: what of it atrader does by itself, and what has no counterpart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.ini import Keys, parse_ini

_SELF: Final = "the manager watches progress, not files: see beat_timeout and progress_timeout of [process]"
_CALENDAR: Final = "each instrument has a calendar that knows its weekend, holidays and summer time"
_ALERTS: Final = "alerts are in the log and in 'atrader history alerts'; no mail or messenger is sent yet"
_LOGS: Final = "each process writes its own rotated log, see [log]; 'atrader-manager logs' shows them"

_GENERAL: Final[Mapping[str, tuple[Kind, str]]] = {
    "monitoringinterval": (Kind.CONVERTED, _SELF),
    **dict.fromkeys(("weekopenday", "weekopenhour", "weekcloseday", "weekclosehour"), (Kind.CONVERTED, _CALENDAR)),
    **dict.fromkeys(
        ("useemail", "fromemail", "toemail", "emaillogin", "emailpassword", "smtpserver"),
        (Kind.NO_COUNTERPART, _ALERTS),
    ),
    **dict.fromkeys(("usetelegram", "telegrambottoken", "telegramchatid"), (Kind.NO_COUNTERPART, _ALERTS)),
    **dict.fromkeys(("loglevel", "logmaxbytes", "logbackupcount"), (Kind.CONVERTED, _LOGS)),
    **dict.fromkeys(("logfile", "logconsole", "logconsolelevel"), (Kind.NO_COUNTERPART, _LOGS)),
}
_SECRETS: Final = ("emaillogin", "emailpassword", "telegrambottoken")
_LEVELS: Final = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "critical": "error"}


class OldMonitor(NamedTuple):
    """What the monitor's file says.

    Attributes
    ----------
    log_level, log_bytes, log_files : str or int, optional
        For ``[log]``; None where the file does not say.
    findings : tuple of Finding
        A line for every key.
    """

    log_level: str | None
    log_bytes: int | None
    log_files: int | None
    findings: tuple[Finding, ...]


def parse_monitor(text: str, file: str) -> OldMonitor:
    """Read the text of the monitor's configuration; never fails: what is wrong is in the findings."""
    ini = parse_ini(text, file)
    general = ini.section("general")
    level, size, count = None, None, None
    if general is not None:
        keys = Keys(ini, general)
        level = _LEVELS.get((keys.text("logLevel") or "").lower())
        size, count = keys.whole("logMaxBytes", 1, 2**40), keys.whole("logBackupCount", 1, 10_000)
        for key, (kind, text) in _GENERAL.items():
            if keys.text(key) is not None:
                keys.find(kind, key, text + ("; the secret was not copied" if key in _SECRETS else ""))
        keys.tell_unknown()
    for section in ini.sections.values():
        if section is not general:
            _account(Keys(ini, section))
    return OldMonitor(level, size, None if count is None else count + 1, tuple(ini.findings))


def _account(keys: Keys) -> None:
    keys.pass_over("accountNumber", "path", "accounts")
    frontend = keys.text("frontend")
    if frontend is not None and frontend.upper() != "AT":
        why = "MetaTrader 4 is not watched or ended by atrader"
        keys.find(Kind.NO_COUNTERPART, "", why, "keep the old monitor for it")
    elif frontend is not None:
        keys.find(Kind.CONVERTED, "", "its processes are watched by their manager")
    keys.tell_unknown()
