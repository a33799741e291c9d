"""Log files: one JSON object a line, one rotating file per process, third-party loggers included."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.fleet import LogConfig

_NAME_WIDTH: Final = 20
_PLAIN: Final = "\033[0m"
_LEVEL_COLOURS: Final = {"warning": "\033[33m", "error": "\033[31m", "critical": "\033[31m"}

_clock: Final = SystemClock()


def _add_time(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = iso_from_ns(_clock.now_ns() // 1000 * 1000)
    return event


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _add_time,
        structlog.processors.format_exc_info,
    ]


def configure_logs(path: Path, config: LogConfig, *, console: bool = False) -> None:
    """Send all logging of this process to a file.

    Parameters
    ----------
    path : Path
        The log file; it rotates at ``config.max_file`` bytes, and ``config.files`` of them are kept.
    config : LogConfig
        Level and rotation.
    console : bool, default False
        Write lines to stderr as well: short ones when it is a terminal.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request
    logging.raiseExceptions = False  # a full disk must not end whoever logs about it
    handlers: list[logging.Handler] = [_file_handler(path, config)]
    if console:
        handlers.append(_console_handler())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(config.level.upper())
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(config.level),
        cache_logger_on_first_use=False,
    )


def process_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a process; each of its lines carries the process name."""
    logger: FilteringBoundLogger = structlog.get_logger("atrader").bind(process=name)
    return logger


def close_logs() -> None:
    """Write out and close the log files of this process."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()


def _file_handler(path: Path, config: LogConfig) -> logging.Handler:
    handler = RotatingFileHandler(path, maxBytes=config.max_file, backupCount=config.files - 1, encoding="utf-8")
    handler.setFormatter(_formatter(structlog.processors.JSONRenderer(default=str)))
    return handler


def _console_handler() -> logging.Handler:
    """Write short lines to a terminal, and all of every line to whoever else collects stderr."""
    handler = logging.StreamHandler(sys.stderr)
    terminal = sys.stderr.isatty()
    handler.setFormatter(_formatter(_line_for_people if terminal else structlog.dev.ConsoleRenderer(colors=False)))
    return handler


def _line_for_people(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Make ``06:27:41 worker-eurusd-cross  STARTING -> RUNNING (READY after 0.1 s)``; times are UTC."""
    words = dict(event)
    time, level, process = (str(words.pop(key, "")) for key in ("timestamp", "level", "process"))
    name, what, trouble = words.pop("name", process), words.pop("event", ""), words.pop("exception", None)
    if "transition" in words:  # the event's own name and the pid say nothing more to people
        what = words.pop("transition")
        words.pop("pid", None)
    rest = " ".join(f"{key}={value}" for key, value in words.items() if value is not None)
    colour = _LEVEL_COLOURS.get(level, "")
    line = f"{time[11:19]} {colour}{name:<{_NAME_WIDTH}} {what}{_PLAIN if colour else ''} {rest}".rstrip()
    return f"{line}\n{trouble}" if trouble else line


def _formatter(renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
