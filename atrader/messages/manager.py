"""Calls the manager answers (fleet control)."""

from __future__ import annotations

from typing import ClassVar, Literal

from atrader.trading_state import TradingState
from atrader.wire import Answer, Request


class StatusAnswer(Answer):
    """The map that ``status --json`` prints; its shape is a promise to other tools."""

    status: dict[str, object]


class GetStatus(Request):
    """Ask for the state of manager, processes and accounts."""

    kind: ClassVar[str] = "manager.status"
    answer: ClassVar[type[Answer]] = StatusAnswer


class ControlAnswer(Answer):
    """What was done, one line each, for people."""

    lines: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Processes that are not as they were asked to be."""


class Control(Request):
    """Start, stop or restart processes of the running fleet; no names = the whole fleet (stop ends the manager)."""

    kind: ClassVar[str] = "manager.control"
    answer: ClassVar[type[Answer]] = ControlAnswer
    verb: Literal["start", "stop", "restart"]
    names: tuple[str, ...] = ()


class Reload(Request):
    """Read the configuration again and touch only what changed."""

    kind: ClassVar[str] = "manager.reload"
    answer: ClassVar[type[Answer]] = ControlAnswer


class SetTradingState(Request):
    """Set a trading state for a scope: ``fleet``, ``account:NAME`` or ``instance:NAME``."""

    kind: ClassVar[str] = "manager.set-trading-state"
    answer: ClassVar[type[Answer]] = ControlAnswer
    scope: str
    state: TradingState
    reason: str = ""


class Activate(Request):
    """A standby worker (reload) waits for its turn; answered when the old worker of its instance is gone."""

    kind: ClassVar[str] = "manager.activate"
    answer: ClassVar[type[Answer]] = ControlAnswer
    name: str
    pid: int
