"""Calls the data layer answers to operators: one long work at a time, asked for and then watched."""

from __future__ import annotations

from typing import ClassVar, Literal

from atrader.wire import Answer, Request

OperationName = Literal["backup", "check", "compact", "archive"]
"""What can be done with the stores."""


class OperationAnswer(Answer):
    """How far an operation is."""

    id: int
    name: OperationName
    is_done: bool
    done: int  # of total
    total: int  # 0: nobody knows
    doing: str
    result: dict[str, object] | None = None  # when it is done


class StartOperation(Request):
    """Begin an operation; refused while another one works."""

    kind: ClassVar[str] = "data.start-operation"
    answer: ClassVar[type[Answer]] = OperationAnswer
    name: OperationName
    directory: str | None = None
    repair: bool = False
    full: bool = False


class GetOperation(Request):
    """Ask how far an operation is; one that failed answers with its error."""

    kind: ClassVar[str] = "data.operation"
    answer: ClassVar[type[Answer]] = OperationAnswer
    id: int
